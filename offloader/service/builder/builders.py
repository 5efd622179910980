"""Builders: a process is started for a build, and handed on to the next one that waits.

Starting one takes longer than building a small dataset, so where many wait, as at a cold start,
they share. None outlives the last of them, and whoever stands still keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from offloader.service.builder.job import Builder
from offloader.service.builder.progress import ProgressLog
from offloader.service.builder.turns import Turns


class Builders:
    """Runs builds, each in the turn of the thread that calls."""

    def __init__(
        self, turns: Turns, *, limit_seconds: float, available_bytes: Callable[[], int]
    ) -> None:
        self._turns = turns
        self._limit_seconds = limit_seconds
        self._available_bytes = available_bytes
        self._lock = Lock()
        # A builder dies with the thread that started it, which may be before the next build.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="builders")
        self._idle: Builder | None = None
        turns.on_quiet = self.rest

    def build(self, job: Mapping[str, Any], on_standstill: Callable[[], None]) -> int:
        """Run one build to its end; as `Builder.build`."""
        return int(self.outcome(job, on_standstill)["written_bytes"])

    def outcome(
        self, job: Mapping[str, Any], on_standstill: Callable[[], None]
    ) -> Mapping[str, Any]:
        """Have one job done; as `Builder.outcome`."""
        builder, has_passed_on = self._take(), False

        def stand_still() -> None:
            nonlocal has_passed_on
            has_passed_on = True
            on_standstill()

        try:
            return builder.outcome(
                job,
                limit_seconds=self._limit_seconds,
                available_bytes=self._available_bytes,
                on_standstill=stand_still,
                on_progress=ProgressLog().note,
            )
        finally:
            if builder.can_go_on and not has_passed_on and self._turns.is_awaited:
                self._put(builder)
            else:
                builder.close()

    def rest(self) -> None:
        """End the process that nobody waits for any more."""
        with self._lock:
            idle, self._idle = self._idle, None
        if idle is not None:
            idle.close()

    def _take(self) -> Builder:
        with self._lock:
            idle, self._idle = self._idle, None
        return idle or self._starter.submit(Builder).result()

    def _put(self, builder: Builder) -> None:
        with self._lock:
            self._idle, other = builder, self._idle
        if other is not None:
            other.close()
