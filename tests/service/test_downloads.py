"""Folders for downloads: gone with their process, and spared while it lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.service.cache import Cache
from offloader.service.downloads import download_folder, sweep_downloads


def test_a_folder_is_there_for_a_block(tmp_path: Path) -> None:
    """Empty and of its own; what was written to it goes with it, also after an error."""
    with (
        download_folder(tmp_path / "downloads") as one,
        download_folder(tmp_path / "downloads") as two,
    ):
        assert one != two
        assert list(one.iterdir()) == []
        (one / "file").write_bytes(b"x")
    with pytest.raises(FileNotFoundError), download_folder(tmp_path / "downloads") as one:
        (one / "absent" / "file").write_bytes(b"x")
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_sweep_spares_the_folders_of_the_living(tmp_path: Path) -> None:
    """A builder of another instance may be in the middle of its downloads."""
    cache = Cache(tmp_path)
    with download_folder(cache.downloads) as folder:
        (folder / "file").write_bytes(b"x")
        cache.sweep([])
        assert (folder / "file").read_bytes() == b"x"


def test_a_sweep_removes_the_folders_of_the_dead(tmp_path: Path) -> None:
    """Killed at any moment: with its lock, or when that was just removed."""
    for name in (".snapshot.1.files", ".snapshot.2.files"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0").write_bytes(b"x")
    (tmp_path / ".snapshot.1.tmp").touch()
    (tmp_path / ".snapshot.3.tmp").touch()
    sweep_downloads(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_there_may_be_nothing_to_sweep(tmp_path: Path) -> None:
    """A cache without downloads is left without."""
    sweep_downloads(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []
