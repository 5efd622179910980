"""Fetch parts that other replicas have built, instead of building them.

A few parts at once over all datasets, in threads of their own: whoever asks waits as long as bytes
come, and goes on to build when none have come for a while, whatever those threads hang in.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from offloader.catalog.manifest import Manifest
from offloader.errors import OffloaderError, SourceUnavailable
from offloader.segment.access_path import PartPlan
from offloader.service import log
from offloader.service.cache import MIN_FREE_BYTES, Cache, disk_error
from offloader.service.counts import save_counts
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.segment_check import check_part, facts_by_id, mapped
from offloader.service.segment_descriptor import PartRef, SharedPart, SharedPartBad
from offloader.service.segment_store import SegmentStore
from offloader.stores.store import ObjectMissing

PARTS_AT_ONCE = 8
RANGES_AT_ONCE = 8  # over all parts, so that reading takes 8 MiB of memory
STILL_SECONDS = 10.0
_LOOK_SECONDS = 0.5

Facts = Mapping[str, Any]


class _Fetch:
    """One part on its way; `moved_at` is when something of it came last, 0 while it waits."""

    def __init__(self, ref: PartRef, facts: Facts) -> None:
        self.ref = ref
        self.facts = facts
        self.moved_at = 0.0
        self.size_bytes = 0
        self.is_given_up = False


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
        self._ranges = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="range")
        self._moved_at = clock()
        self._expected_bytes = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Wait until nothing is on its way any more."""
        self._pool.shutdown()
        self._ranges.shutdown()

    def fetch(self, manifest: Manifest, plan: PartPlan) -> dict[PartRef, bool]:
        """Put into the cache what is missing there and can be had; return whether each part came.

        What came was compared with its descriptor, its own checksums and what it must be. Never
        raises; returns at the latest when nothing has come for `still_seconds`.
        """
        wanted = [
            _Fetch(PartRef(manifest.dataset_id, part_id, manifest.digest), facts)
            for part_id, facts in facts_by_id(plan, manifest).items()
            if not self._cache.part(manifest.dataset_id, part_id).exists()
        ]
        if not wanted or self._status.is_resting:
            self._status.count("failed", len(wanted))
            return {one.ref: False for one in wanted}
        began = self._clock()
        running = {self._pool.submit(self._fetch, one): one for one in wanted}
        if not self._await(running, began):
            self._give_up(running)
        came = [one for future, one in running.items() if _has_come(future)]
        if came:
            log.event(
                "segments_fetched",
                dataset=manifest.dataset_id,
                snapshot=manifest.snapshot_id,
                parts=len(came),
                bytes=sum(one.size_bytes for one in came),
                seconds=round(self._clock() - began, 3),
            )
        return {one.ref: one in came for one in wanted}

    def _await(self, running: Mapping[Future[bool], _Fetch], began: float) -> bool:
        """Wait until all are done; False when one that runs, or all there are, stand still."""
        while left := wait(running, timeout=min(_LOOK_SECONDS, self._still_seconds)).not_done:
            now = self._clock()
            moved = [running[future].moved_at or max(self._moved_at, began) for future in left]
            if now - min(moved) > self._still_seconds:
                return False
        return True

    def _give_up(self, running: Mapping[Future[bool], _Fetch]) -> None:
        left = [future for future in running if not future.done()]
        for future in left:
            running[future].is_given_up = True
            future.cancel()
        message = f"nothing has come from the segment store for {self._still_seconds:g} seconds"
        hint = "the parts are built here; see whether the store answers"
        self._status.count("failed", len(left))
        self._status.note_failed(SourceUnavailable("segment_store_slow", message, hint))

    def _fetch(self, one: _Fetch) -> bool:
        try:
            if not self._status.is_resting:  # by now, for this one waited
                return self._first_good_copy(one)
        except _DiskError as error:
            self._status.note_not_fetched(one.ref, disk_error(error.cause))
        except OffloaderError as error:
            self._status.note_failed(error)
        except Exception as error:
            log.LOGGER.error("segment_fetch_broke", exc_info=error)
        if not one.is_given_up:
            self._status.count("failed")
        return False

    def _first_good_copy(self, one: _Fetch) -> bool:
        is_corrupt = False
        for copy in self._store.copies(one.ref):
            self._note_move(one)
            try:
                self._take(one, copy)
            except ObjectMissing:
                break
            except SharedPartBad as error:
                is_corrupt = True
                self._store.spoil(one.ref, copy)
                self._status.note_corrupt(one.ref, error)
            else:
                self._status.note_answered()
                self._status.count("fetched", size_bytes=one.size_bytes)
                return True
        self._status.note_answered()
        self._status.count("missing", 0 if is_corrupt else 1)
        return False

    def _take(self, one: _Fetch, copy: int) -> None:
        """Have one copy in the cache; nothing of it appears there before it was checked."""
        shared, found = self._store.look_up(one.ref, copy)
        self._note_move(one)
        target = self._cache.part(one.ref.dataset, one.ref.part_id)
        aside = target.with_name(f".{target.name}.{token_hex(8)}.tmp")
        try:
            with self._room_for(shared):
                one.moved_at = 0.0  # until it has its turn among all that is read
                self._store.download(
                    copy, shared, found, aside, self._ranges, lambda _: self._note_move(one)
                )
                with mapped(aside) as content:
                    check_part(content, one.facts, self._store.name(one.ref, copy))
                    if shared.counts is not None:
                        save_counts(
                            self._cache, one.ref.dataset, one.ref.manifest_digest, shared.counts
                        )
                    aside.replace(target)
        except OSError as error:
            raise _DiskError(error) from error
        finally:
            aside.unlink(missing_ok=True)
        one.size_bytes = shared.size_bytes

    @contextmanager
    def _room_for(self, shared: SharedPart) -> Iterator[None]:
        """Refuse what does not fit the volume beside all else that is on its way."""
        with self._lock:
            self._expected_bytes += shared.size_bytes
            expected_bytes = self._expected_bytes
        try:
            if self._cache.free_bytes() < expected_bytes + MIN_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield
        finally:
            with self._lock:
                self._expected_bytes -= shared.size_bytes

    def _note_move(self, one: _Fetch) -> None:
        one.moved_at = self._moved_at = self._clock()


class _DiskError(Exception):
    """The cache volume could not be written: not the store's fault."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _has_come(future: Future[bool]) -> bool:
    return future.done() and not future.cancelled() and future.result()
