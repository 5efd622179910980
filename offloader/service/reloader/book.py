"""The book: the state file is written, then what no state names any more is let go of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from offloader.catalog.model import Catalog
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.collect import collect
from offloader.service.lease import release
from offloader.service.reloader.ledger import Ledger
from offloader.service.reloader.outcomes import Outcomes
from offloader.service.state import Held

COLLECT_AGAIN_SECONDS = 120.0


class Book:
    """Keeps the state file at `path`; `aside` runs work in another thread."""

    def __init__(
        self,
        cache: Cache,
        path: Path,
        ledger: Ledger,
        outcomes: Outcomes,
        clock: Callable[[], float],
        aside: Callable[[Callable[[], None]], object],
    ) -> None:
        self._cache = cache
        self._path = path
        self._ledger = ledger
        self._outcomes = outcomes
        self._clock = clock
        self._aside = aside
        self._collect_at = 0.0

    def keep(self, catalogs: Iterable[Catalog], documents: Mapping[str, Any]) -> None:
        """Write the state if it changed; then end leases and remove files that nobody needs.

        `catalogs` are the contracts whose parts are kept, `documents` what is served.
        """
        self._ledger.save_if_due(catalogs, documents)
        if not self._ledger.is_saved:
            return
        leases, self._outcomes.leases = self._outcomes.leases, []
        for one in leases:
            release(one)
        now = self._clock()
        if self._outcomes.is_littered or now >= self._collect_at:
            # Once more later, for the youngest files are never removed.
            self._collect_at = now + COLLECT_AGAIN_SECONDS
            self._outcomes.is_littered = False
            self._aside(partial(self._collect, self._ledger.saved.holds))

    def _collect(self, holds: Mapping[str, Held]) -> None:
        found = collect(self._cache, holds, self._path, self._clock())
        if found.files:
            log.event("cache_collected", files=found.files, bytes=found.bytes)
