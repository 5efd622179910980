"""End a process that takes the memory that others need, before the kernel does.

Long before the kernel kills, it drops the pages of the programs that serve, and requests stand
still for as long as that goes on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

SPARE_BYTES = 48 << 20
LOOK_SECONDS = 0.02


@contextmanager
def memory_watched(
    process: subprocess.Popen[bytes], available_bytes: Callable[[], int]
) -> Iterator[Event]:
    """Kill a process when less than 48 MiB are available, until the block ends.

    The event is set when it was killed.
    """
    has_ended, is_killed = Event(), Event()

    def look() -> None:
        while not has_ended.wait(LOOK_SECONDS):
            if available_bytes() < SPARE_BYTES:
                is_killed.set()
                process.kill()
                return

    watch = Thread(target=look, name="memory watch", daemon=True)
    watch.start()
    try:
        yield is_killed
    finally:
        has_ended.set()
        watch.join()
