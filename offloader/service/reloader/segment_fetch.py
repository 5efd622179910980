"""Fetch parts that other replicas have built, instead of building them.

A few parts at once over all datasets, in threads of their own: whoever asks waits as long as bytes
come, and goes on to build when none have come for a while, whatever those threads hang in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from offloader.catalog.manifest import Manifest
from offloader.errors import OffloaderError, SourceUnavailable
from offloader.segment.access_path import PartPlan
from offloader.service import log
from offloader.service.cache import Cache, disk_error
from offloader.service.reloader.segment_landing import Copy, DiskError, Landing
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.segment_check import facts_by_id
from offloader.service.segment_descriptor import PartRef, SharedPartBad
from offloader.service.segment_store import SegmentStore
from offloader.stores.store import ObjectMissing

PARTS_AT_ONCE = 8
STILL_SECONDS = 10.0
_LOOK_SECONDS = 0.5

OnPart = Callable[[str, str], None]


class _Fetch:
    """One part on its way; `moved_at` is when something of it came last, 0 while it waits."""

    def __init__(self, ref: PartRef, facts: Mapping[str, Any], on_part: OnPart) -> None:
        self.ref = ref
        self.facts = facts
        self.on_part = on_part
        self.moved_at = 0.0
        self.copy: Copy | None = None
        self.has_come = self.is_corrupt = self.is_given_up = False

    @property
    def size_bytes(self) -> int:
        """The size of the part, 0 before it is known."""
        return self.copy.shared.size_bytes if self.copy else 0


class Fetching:
    """Puts parts from the segment store into the cache. `clock` is monotonic seconds."""

    def __init__(
        self,
        store: SegmentStore,
        cache: Cache,
        status: SegmentStatus,
        *,
        still_seconds: float = STILL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._cache = cache
        self._status = status
        self._still_seconds = still_seconds
        self._clock = clock
        self._pool = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="fetch")
        self._landing = Landing(store, cache)
        self._moved_at = clock()

    def close(self) -> None:
        """Wait until nothing is on its way any more."""
        self._pool.shutdown()
        self._landing.close()

    def fetch(
        self,
        manifest: Manifest,
        plan: PartPlan,
        on_part: OnPart = lambda _dataset, _part_id: None,
    ) -> dict[PartRef, bool]:
        """Put into the cache what is missing there and can be had; return whether each part came.

        `on_part` is told of each that did, by several threads. What came was compared with its
        descriptor, its own checksums and what it must be. Never raises; returns at the latest when
        nothing has come for `still_seconds`.
        """
        wanted = [
            _Fetch(PartRef(manifest.dataset_id, part_id, manifest.digest), facts, on_part)
            for part_id, facts in facts_by_id(plan, manifest).items()
            if not self._cache.part(manifest.dataset_id, part_id).exists()
        ]
        if self._status.is_resting:
            self._status.count("failed", len(wanted))
        elif wanted:
            self._fetch(manifest, wanted)
        return {one.ref: one.has_come for one in wanted}

    def _fetch(self, manifest: Manifest, wanted: Sequence[_Fetch]) -> None:
        began = self._clock()
        if self._do(self._look_up, wanted):
            found = (one for one in wanted if one.copy is not None)
            # The largest first: what it takes after it came is done while the others come.
            self._do(self._bring, sorted(found, key=lambda one: -one.size_bytes))
        came = [one for one in wanted if one.has_come]
        if came:
            log.event(
                "segments_fetched",
                dataset=manifest.dataset_id,
                snapshot=manifest.snapshot_id,
                parts=len(came),
                bytes=sum(one.size_bytes for one in came),
                seconds=round(self._clock() - began, 3),
            )

    def _do(self, step: Callable[[_Fetch], None], wanted: Sequence[_Fetch]) -> bool:
        """Carry a step out for all, in the pool; False when it was given up."""
        began = self._clock()
        running = {self._pool.submit(self._try, step, one): one for one in wanted}
        while left := wait(running, timeout=min(_LOOK_SECONDS, self._still_seconds)).not_done:
            moved = [running[future].moved_at or max(self._moved_at, began) for future in left]
            # One that began stands still, or one that waits and all others do.
            if self._clock() - min(moved) > self._still_seconds:
                self._give_up({future: running[future] for future in left})
                return False
        return True

    def _give_up(self, left: Mapping[Future[None], _Fetch]) -> None:
        for future, one in left.items():
            one.is_given_up = True
            future.cancel()
        message = f"nothing has come from the segment store for {self._still_seconds:g} seconds"
        hint = "the parts are built here; see whether the store answers"
        self._status.count("failed", len(left))
        self._status.note_failed(SourceUnavailable("segment_store_slow", message, hint))

    def _try(self, step: Callable[[_Fetch], None], one: _Fetch) -> None:
        """Carry a step out for one part; what goes wrong is told, and the part is built."""
        try:
            if not self._status.is_resting:  # by now, for this one waited
                step(one)
                return
        except DiskError as error:
            self._status.note_not_fetched(one.ref, disk_error(error.cause))
        except OffloaderError as error:
            self._status.note_failed(error)
        except Exception as error:
            log.broke("segment_fetch_broke", error)
        one.copy = None
        if not one.is_given_up:
            self._status.count("failed")

    def _look_up(self, one: _Fetch) -> None:
        """Find the first copy that is not known to be spoilt."""
        one.copy = None
        for number in self._store.copies(one.ref):
            self._note_move(one)
            try:
                one.copy = Copy(number, *self._store.look_up(one.ref, number), one.facts)
            except ObjectMissing:
                pass
            except SharedPartBad as error:
                self._refuse(one, number, error)
                continue
            break
        one.moved_at = 0.0
        self._status.note_answered()
        if one.copy is None and not one.is_corrupt:
            self._status.count("missing")

    def _bring(self, one: _Fetch) -> None:
        """Have the first good copy in the cache."""
        while one.copy is not None and not one.has_come:
            copy = one.copy
            try:
                self._landing.land(copy, lambda: self._note_move(one))
            except SharedPartBad as error:
                self._refuse(one, copy.number, error)
                self._look_up(one)
            else:
                one.has_come = True
                self._status.note_answered()
                self._status.count("fetched", size_bytes=one.size_bytes)
                one.on_part(one.ref.dataset, one.ref.part_id)

    def _refuse(self, one: _Fetch, number: int, error: SharedPartBad) -> None:
        one.is_corrupt = True
        self._store.spoil(one.ref, number)
        self._status.note_corrupt(one.ref, error)

    def _note_move(self, one: _Fetch) -> None:
        one.moved_at = self._moved_at = self._clock()
