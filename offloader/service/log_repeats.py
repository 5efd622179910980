"""Repeats: what happens again and again is written once, and then counted.

The first of a kind is written at once, and begins a window of ten seconds. More of the kind are
counted; at the end of the window the last of them is written, with how many it stands for, and
another window begins. So each that happened stands in the log: as a line, or in a count.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Generic, TypeVar

WINDOW_SECONDS = 10.0
MAX_KINDS = 1024

What = TypeVar("What")


@dataclass(slots=True)
class _Window(Generic[What]):
    """What happened of one kind since its last line; `last` is None while `count` is 0."""

    ends_at: float
    count: int = 0
    last: What | None = None


def start_timer(seconds: float, work: Callable[[], None]) -> None:
    """Do some work in a thread, in so many seconds; a process that ends does not wait for it."""
    timer = Timer(seconds, work)
    timer.daemon = True
    timer.start()


class Repeats(Generic[What]):
    """Counts what repeats, of up to 1,024 kinds at a time; any thread may use it.

    `write` gets the last of a kind, and the count. Of a kind that must make room for another, it is
    called early.
    """

    def __init__(
        self,
        write: Callable[[What, int], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[float, Callable[[], None]], None] = start_timer,
        max_kinds: int = MAX_KINDS,
    ) -> None:
        self._write = write
        self._clock = clock
        self._start = start
        self._max_kinds = max_kinds
        self._lock = Lock()
        self._is_timed = False
        self._windows: OrderedDict[Hashable, _Window[What]] = OrderedDict()  # by their ends

    def is_first(self, kind: Hashable, what: What) -> bool:
        """Tell whether to write this one; if not, it was counted. `what` is kept until written."""
        now, dropped = self._clock(), None
        with self._lock:
            window = self._windows.get(kind)
            if window is not None and (window.count or now < window.ends_at):
                window.count += 1
                window.last = what
                self._time(window, now)
                return False
            self._windows[kind] = _Window(now + WINDOW_SECONDS)
            self._windows.move_to_end(kind)
            if len(self._windows) > self._max_kinds:
                dropped = self._windows.popitem(last=False)[1]
        if dropped is not None:
            self._tell(dropped)
        return True

    def flush(self) -> None:
        """Write every count now, and forget everything: the process is about to end."""
        with self._lock:
            windows, self._windows = list(self._windows.values()), OrderedDict()
        for window in windows:
            self._tell(window)

    def _time(self, window: _Window[What], now: float) -> None:
        """Have a thread look when a window ends, unless one does."""
        if not self._is_timed:
            self._is_timed = True
            try:
                self._start(max(0.0, window.ends_at - now), self._sweep)
            except RuntimeError:  # no thread is to be had: the next one tries again
                self._is_timed = False

    def _sweep(self) -> None:
        """Write what was counted in the windows that ended, and begin new ones for it."""
        told = []
        with self._lock:
            self._is_timed = False
            now = self._clock()
            while self._windows and next(iter(self._windows.values())).ends_at <= now:
                kind, window = self._windows.popitem(last=False)
                if window.count:
                    told.append(window)
                    self._windows[kind] = _Window(now + WINDOW_SECONDS)
            counting = next((one for one in self._windows.values() if one.count), None)
            if counting is not None:
                self._time(counting, now)
        for window in told:
            self._tell(window)

    def _tell(self, window: _Window[What]) -> None:
        if window.last is not None:
            self._write(window.last, window.count)
