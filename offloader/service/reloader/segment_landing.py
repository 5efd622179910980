"""Land a shared part in the cache: room, bytes, checks, and only then its place."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from offloader.service.cache import MIN_FREE_BYTES, Cache
from offloader.service.counts import save_counts
from offloader.service.segment_check import check_part, digest_of_bytes, mapped
from offloader.service.segment_descriptor import SharedPart
from offloader.service.segment_store import SegmentStore
from offloader.stores.store import StoredObject

RANGES_AT_ONCE = 8  # over all parts, so that reading takes 8 MiB of memory


class DiskError(Exception):
    """The cache volume could not be written: not the store's fault."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a part, as it was looked up, and what the part must say of itself."""

    number: int
    shared: SharedPart
    found: StoredObject
    facts: Mapping[str, Any]


class Landing:
    """Brings copies into a cache, several at once."""

    def __init__(self, store: SegmentStore, cache: Cache) -> None:
        self._store = store
        self._cache = cache
        self._ranges = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="range")
        self._lock = threading.Lock()
        self._expected_bytes = 0

    def close(self) -> None:
        """Wait until nothing is read any more."""
        self._ranges.shutdown()

    def land(self, copy: Copy, on_bytes: Callable[[], None]) -> None:
        """Have a copy in the cache; nothing of it appears in its place before it was checked.

        `on_bytes` is called as bytes come. Raises SharedPartBad, DiskError and what a store does.
        """
        ref = copy.shared.ref
        target = self._cache.part(ref.dataset, ref.part_id)
        aside = target.with_name(f".{target.name}.{token_hex(8)}.tmp")
        try:
            with self._room_for(copy.shared.size_bytes) as note:

                def come(size_bytes: int) -> None:
                    note(size_bytes)
                    on_bytes()

                # All is compared once it is here. The store's own checksum only tells more when
                # something differs: what was damaged on the way is then read again.
                for is_compared in (False, True):
                    self._read(copy, aside, come, is_compared=is_compared)
                    if self._put(copy, aside, target, is_compared=is_compared):
                        return
        except OSError as error:
            raise DiskError(error) from error
        finally:
            aside.unlink(missing_ok=True)

    def _read(
        self, copy: Copy, aside: Path, come: Callable[[int], None], *, is_compared: bool
    ) -> None:
        number, shared, found = copy.number, copy.shared, copy.found
        self._store.download(
            number, shared, found, aside, self._ranges, come, is_compared=is_compared
        )

    def _put(self, copy: Copy, aside: Path, target: Path, *, is_compared: bool) -> bool:
        """Put a file in its place if it is what it must be; False when its bytes differ."""
        shared, ref = copy.shared, copy.shared.ref
        with mapped(aside) as content:
            if not is_compared and digest_of_bytes(content) != shared.digest:
                return False
            check_part(content, copy.facts, self._store.name(ref, copy.number))
            if shared.counts is not None:
                save_counts(self._cache, ref.dataset, ref.manifest_digest, shared.counts)
            aside.replace(target)
        return True

    @contextmanager
    def _room_for(self, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Refuse what does not fit the volume beside all else that is on its way.

        The block tells of the bytes that came.
        """
        left_bytes = 0

        def expect(more_bytes: int) -> int:
            nonlocal left_bytes
            with self._lock:
                more_bytes = max(more_bytes, -left_bytes)
                left_bytes += more_bytes
                self._expected_bytes += more_bytes
                return self._expected_bytes

        def come(size_bytes: int) -> None:
            expect(-size_bytes)

        try:
            if self._cache.free_bytes() < expect(size_bytes) + MIN_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            yield come
        finally:
            expect(-left_bytes)
