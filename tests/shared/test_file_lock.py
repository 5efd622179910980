"""Rules of file locks: one holder, gone with its process, never kept by a forked child."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from offloader.shared.file_lock import close_lock, lock_within, open_lock, try_lock


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    """A second descriptor of the same process is refused until the first is closed."""
    first, second = open_lock(tmp_path / "lock"), open_lock(tmp_path / "lock")
    assert try_lock(first) == "held"
    assert try_lock(second) == "taken"
    assert try_lock(second, is_shared=True) == "taken"
    close_lock(first)
    assert try_lock(second) == "held"
    close_lock(second)


def test_shared_locks_go_together(tmp_path: Path) -> None:
    """Many may share a lock; who wants it alone waits."""
    first, second, third = (open_lock(tmp_path / "lock") for _ in range(3))
    assert try_lock(first, is_shared=True) == "held"
    assert try_lock(second, is_shared=True) == "held"
    assert lock_within(third, 0.0) == "taken"
    for descriptor in (first, second):
        close_lock(descriptor)
    assert lock_within(third, 0.0) == "held"
    close_lock(third)


def test_a_link_is_not_locked(tmp_path: Path) -> None:
    """A lock file that is a link is refused."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="symbolic links"):
        open_lock(tmp_path / "link")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """`unsupported` is neither held nor taken; another error is an error."""
    descriptor = open_lock(tmp_path / "lock")

    def refuse(*_: object) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert lock_within(descriptor, 1.0) == "unsupported"
    number = errno.EIO
    with pytest.raises(OSError, match="no locks"):
        try_lock(descriptor)
    close_lock(descriptor)


def test_a_forked_child_does_not_keep_a_lock(tmp_path: Path) -> None:
    """The lock is free once its holder lets go, though a child forked meanwhile still lives."""
    held = open_lock(tmp_path / "lock")
    assert try_lock(held) == "held"
    until, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(until, 1)  # until the parent closes its end
        os._exit(0)
    try:
        other = open_lock(tmp_path / "lock")
        assert try_lock(other) == "taken"
        os.close(held)  # as the end of the process would, without a word to the lock
        assert lock_within(other, 10.0) == "held"
    finally:
        os.close(end)
        os.close(until)
        assert os.waitpid(child, 0)[1] == 0
    close_lock(other)
