"""Rules of temporary files: never the same name twice, and what is being written is not removed."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from offloader.segment import temporary
from offloader.segment.temporary import TEMPORARY_GLOB, open_temporary, remove_abandoned
from offloader.shared.file_lock import try_lock


def test_two_writers_of_one_file_have_files_of_their_own(tmp_path: Path) -> None:
    """On a shared volume even two processes of the same number do not meet."""
    made = [open_temporary(tmp_path / "new" / "file", 0o600) for _ in range(2)]
    paths = {path for _, path in made}
    assert len(paths) == 2
    assert set((tmp_path / "new").glob(TEMPORARY_GLOB)) == paths
    for descriptor, _ in made:
        os.close(descriptor)


def test_what_is_held_stays_and_what_is_abandoned_goes(tmp_path: Path) -> None:
    """Closing the descriptor, as the end of a process does, abandons the file."""
    descriptor, path = open_temporary(tmp_path / "file", 0o600)
    assert remove_abandoned(path) is False
    assert path.exists()
    os.close(descriptor)
    assert remove_abandoned(path) is True
    assert not path.exists()
    assert remove_abandoned(path) is False


def test_a_file_that_a_sweeper_took_before_it_was_locked_is_made_anew(tmp_path: Path) -> None:
    """Between making and locking anybody may remove it; the writer must not go on with nothing."""
    taken = list[Path]()

    def sweep_first(descriptor: int) -> str:
        if not taken:
            taken.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            assert remove_abandoned(taken[0]) is True
        return try_lock(descriptor)

    with patch.object(temporary, "try_lock", sweep_first):
        # The sweeper's own look at the lock comes through here too, once the list is filled.
        descriptor, path = open_temporary(tmp_path / "file", 0o600)
    assert not taken[0].exists()
    assert path != taken[0]
    assert path.exists()
    os.close(descriptor)


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    """A collector may take an empty folder away at any moment."""
    real, removed = os.open, list[str]()

    def remove_first(path: Path, *arguments: int) -> int:
        if not removed:
            removed.append(path.parent.name)
            path.parent.rmdir()
        return real(path, *arguments)

    with patch("os.open", remove_first):
        descriptor, path = open_temporary(tmp_path / "folder" / "file", 0o600)
    assert removed == ["folder"]
    assert path.exists()
    os.close(descriptor)


def test_without_locks_a_file_is_made_and_nothing_is_taken_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told is told as such: the caller decides by age."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    descriptor, path = open_temporary(tmp_path / "file", 0o600)
    os.close(descriptor)
    assert remove_abandoned(path) is None
    assert path.exists()
