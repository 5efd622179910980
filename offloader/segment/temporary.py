"""Temporary files, locked while they are written: one that nobody holds was left by a dead writer.

Others may write the same file on the same volume at the same time, so no name is used twice.
"""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex

from offloader.shared.file_lock import try_lock

TEMPORARY_GLOB = ".*.tmp"
_ATTEMPTS = 10


def open_temporary(path: Path, mode: int) -> tuple[int, Path]:
    """Make the file `.<name>.<random>.tmp` beside `path`, and lock it; raises OSError.

    Returns its descriptor, open for writing, and its path. Close it after the rename: what is
    renamed is nobody's to remove any more.
    """
    for _ in range(_ATTEMPTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(temporary, flags, mode)
        except FileNotFoundError:  # the folder was empty, and a collector has just removed it
            continue
        try:
            # Between making and locking a sweeper may have taken it for abandoned.
            if try_lock(descriptor) != "taken" and os.fstat(descriptor).st_nlink:
                return descriptor, temporary
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        os.close(descriptor)
    raise FileNotFoundError(f"{path.parent}: its temporary files are removed while they are made")


def remove_abandoned(path: Path) -> bool | None:
    """Remove a temporary file that nobody holds; tell whether it was, None where no locks are.

    Raises OSError. A file that is gone already is nobody's to remove.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        tried = try_lock(descriptor)
        if tried == "held":  # and held until it is removed: its writer may be about to lock it
            path.unlink(missing_ok=True)
        return None if tried == "unsupported" else tried == "held"
    finally:
        os.close(descriptor)
