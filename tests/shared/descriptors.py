"""What this process has open and mapped, to prove that nothing leaks."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path


def open_descriptors() -> set[str]:
    """Return the open descriptors of this process, but the one this look takes.

    What is only waiting to be collected is closed first, so that it is not closed in between.
    """
    gc.collect()
    # Listed first: the descriptor the listing takes is closed when the names are looked at.
    return {entry.name for entry in list(Path("/proc/self/fd").iterdir()) if entry.is_symlink()}


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Poll until a condition holds; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
