"""Tell of a process that stands still: it uses no processor, so it waits for something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer

STANDSTILL_SECONDS = 5.0
LOOK_SECONDS = 0.5


@contextmanager
def standstill_watched(
    pid: int, on_standstill: Callable[[], None], *, seconds: float = STANDSTILL_SECONDS
) -> Iterator[None]:
    """Call `on_standstill` once, when a process has used no processor for so many seconds."""
    has_ended = Event()

    def look() -> None:
        used, still_seconds = _used_ticks(pid), 0.0
        while not has_ended.wait(min(LOOK_SECONDS, seconds)):
            before, used = used, _used_ticks(pid)
            still_seconds = still_seconds + min(LOOK_SECONDS, seconds) if used == before else 0.0
            if still_seconds >= seconds:
                on_standstill()
                return

    watch = Thread(target=look, name="standstill watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        has_ended.set()
        watch.join()


@contextmanager
def called_when_slow(on_slow: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call `on_slow` once, in a thread, when the block takes so many seconds."""
    timer = Timer(seconds, on_slow)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _used_ticks(pid: int) -> int:
    """Return the processor time a process has used, in clock ticks; 0 when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return int(user) + int(system)
