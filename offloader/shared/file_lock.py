"""Locks on files (flock): held by an open descriptor, gone when its process ends, however it ends.

Advisory: they mean something only to those who ask. Two descriptors of one process exclude each
other as those of two processes do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Literal

# `unsupported`: the file system has no locks, as some network mounts.
Tried = Literal["held", "taken", "unsupported"]

_PAUSE_SECONDS = 0.01
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_own: set[int] = set()


def open_lock(path: Path) -> int:
    """Open a file to lock it, and make it if it is not there; raises OSError.

    Forked children do not keep it open: a lock belongs to the open file, so they would hold it
    after this process has ended.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o666)
    _own.add(descriptor)
    return descriptor


def close_lock(descriptor: int) -> None:
    """Close what `open_lock` opened, and so let go of its lock."""
    _own.discard(descriptor)
    os.close(descriptor)


def try_lock(descriptor: int, *, is_shared: bool = False) -> Tried:
    """Take a lock if nobody else holds it; raises OSError."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return "taken"
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return "unsupported"
        raise
    return "held"


def lock_within(descriptor: int, seconds: float, *, is_shared: bool = False) -> Tried:
    """Take a lock, waiting until others let go of it, but no longer than this; raises OSError."""
    deadline = time.monotonic() + seconds
    while (tried := try_lock(descriptor, is_shared=is_shared)) == "taken":
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    return tried


def _close_in_child() -> None:
    for descriptor in _own:
        os.close(descriptor)
    _own.clear()


os.register_at_fork(after_in_child=_close_in_child)
