"""A file whose reading blocks: a kernel lease on it makes every open wait until it is let go.

This is what a slow or hanging source looks like to a reader, on an ordinary file system (fcntl(2),
F_SETLEASE). The kernel breaks a lease by itself after /proc/sys/fs/lease-break-time, 45 s.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that nobody else can open at the moment."""

    descriptor: int

    def is_wanted(self) -> bool:
        """Tell whether somebody waits for it."""
        return fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) != fcntl.F_WRLCK

    def flip(self) -> None:
        """Change one byte in the middle of it."""
        middle = os.fstat(self.descriptor).st_size // 2
        (byte,) = os.pread(self.descriptor, 1, middle)
        os.pwrite(self.descriptor, bytes([byte ^ 0xFF]), middle)


@contextmanager
def held(path: Path) -> Iterator[HeldFile]:
    """Hold a file while the block runs; nobody may have it open. Main thread only."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # it says that the file is wanted
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield HeldFile(descriptor)
    finally:
        os.close(descriptor)  # the lease ends with it
        signal.signal(signal.SIGIO, before)


def why_not_held(folder: Path) -> str:
    """Return why files in a folder cannot be held, empty when they can: some have no leases."""
    probe = folder / "probe"
    probe.write_bytes(b"\0")
    try:
        with held(probe):
            return ""
    except OSError as error:
        return f"files cannot be held back here: {error.strerror}"
    finally:
        probe.unlink()
