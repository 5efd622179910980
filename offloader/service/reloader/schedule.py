"""When the source of each dataset is looked at next."""

from __future__ import annotations

import random
from collections.abc import Iterable

from offloader.catalog.model import Dataset
from offloader.service.reloader.attempts import back_off_seconds
from offloader.service.state import Attempt


class Schedule:
    """Due times by dataset, in seconds of the reloader's clock. Its own thread alone uses it."""

    def __init__(self, refresh_seconds: float, chance: random.Random) -> None:
        self._refresh_seconds = refresh_seconds
        self._chance = chance
        self._due: dict[str, float] = {}
        self._overtaken: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._due

    def know(self, names: Iterable[str]) -> None:
        """Keep these datasets and no others; a new one is due at once."""
        self._due = {name: self._due.get(name, 0.0) for name in names}

    def make_all_due(self) -> None:
        """Have every dataset looked at now."""
        self._due = dict.fromkeys(self._due, 0.0)

    def due(self, now: float) -> list[str]:
        """Return the datasets that are to be looked at."""
        return [name for name, due in self._due.items() if due <= now]

    def begin(self, name: str) -> None:
        """Note that a dataset is looked at: it is not due again until this has ended."""
        self._due[name] = float("inf")

    def overtaken(self, name: str) -> int:
        """Return how many builds of a dataset were dropped in a row."""
        return self._overtaken.get(name, 0)

    def plan(
        self, dataset: Dataset, attempt: Attempt, now: float, *, is_overtaken: bool, is_now: bool
    ) -> None:
        """Note that a look has ended, and when the next one is due.

        That is at once, or after the interval, or sooner after a failure; not later than what was
        asked for while it was worked on.
        """
        name = dataset.id
        self._overtaken[name] = self.overtaken(name) + 1 if is_overtaken else 0
        source = dataset.source
        own_seconds = source.interval_seconds if source else dataset.refresh_interval_seconds
        interval_seconds = own_seconds or self._refresh_seconds
        pause_seconds = back_off_seconds(attempt, interval_seconds, self._chance)
        self._due[name] = min(self._due[name], now + (0.0 if is_now else pause_seconds))
