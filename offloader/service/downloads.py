"""Folders for what is downloaded and read at once: gone with the process that needs them.

Each has a locked file beside it, `.snapshot.<random>.tmp`, which is there before it and after it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from offloader.segment.temporary import open_temporary, remove_abandoned

_LOCK, _FOLDER = ".tmp", ".files"


@contextmanager
def download_folder(downloads: Path) -> Iterator[Path]:
    """Give an empty folder below `downloads` and remove it after the block; raises OSError."""
    descriptor, lock = open_temporary(downloads / "snapshot", 0o600)
    folder = lock.with_suffix(_FOLDER)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def sweep_downloads(downloads: Path) -> None:
    """Remove the folders of processes that died; those of living ones stay.

    Where the file system has no locks nobody can tell, so they all stay.
    """
    for lock in downloads.glob(f".*{_LOCK}"):
        with suppress(OSError):
            remove_abandoned(lock)
    for folder in downloads.glob(f".*{_FOLDER}"):
        if not folder.with_suffix(_LOCK).exists():
            shutil.rmtree(folder, ignore_errors=True)
