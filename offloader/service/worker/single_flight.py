"""Single-flight: equal heavy requests at the same time are run once, and all get the result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs that are under way, by what they are for. One event loop uses it.

    At most `most_runs` are under way, and at most `most_waiting` callers wait for them; beyond
    either, `busy` makes the error.
    """

    def __init__(self, most_runs: int, most_waiting: int, busy: Callable[[], Exception]) -> None:
        self.most_runs = most_runs
        self.most_waiting = most_waiting
        self.waiting = 0
        self._busy = busy
        self._runs: dict[Hashable, asyncio.Future[T]] = {}

    def __len__(self) -> int:
        return len(self._runs)

    async def run(self, key: Hashable, start: Callable[[], asyncio.Future[T]]) -> tuple[T, bool]:
        """Return the result of the run for `key`, and whether this call started it.

        A run goes on when who started it is cancelled. Its error is raised to all who wait.
        """
        running = self._runs.get(key)
        is_first = running is None
        if self.waiting >= self.most_waiting or (is_first and len(self._runs) >= self.most_runs):
            raise self._busy()
        if running is None:
            running = start()
            self._runs[key] = running
            running.add_done_callback(partial(self._end, key))
        self.waiting += 1
        try:
            return await asyncio.shield(running), is_first
        finally:
            self.waiting -= 1

    def _end(self, key: Hashable, running: asyncio.Future[T]) -> None:
        del self._runs[key]
        if not running.cancelled():
            running.exception()  # nobody may be left to hear of it
