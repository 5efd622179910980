"""What is known of the segment store: counts, the last error, whether it answers; thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from offloader.errors import OffloaderError
from offloader.service import log
from offloader.service.segment_descriptor import PartRef

REST_SECONDS = 30.0

Result = Literal["fetched", "missing", "corrupt", "failed", "uploaded", "present", "upload_failed"]
RESULTS: tuple[Result, ...] = (
    *("fetched", "missing", "corrupt", "failed"),
    *("uploaded", "present", "upload_failed"),
)


class SegmentStatus:
    """Counts what happens with the segment store, and says each thing once.

    `clock` is seconds since the epoch. While it `is_resting` a store that did not answer is not
    asked for parts, so that it holds up one build and not every one.
    """

    def __init__(self, location: str, clock: Callable[[], float] = time.time) -> None:
        self._location = location
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[Result, int] = dict.fromkeys(RESULTS, 0)
        self._bytes = {"fetched": 0, "uploaded": 0}
        self._error: dict[str, Any] | None = None
        self._rests_until = 0.0
        self._is_ok = self._is_writable = True

    @property
    def is_resting(self) -> bool:
        """Whether the store failed a moment ago."""
        return self._clock() < self._rests_until

    def count(self, result: Result, parts: int = 1, size_bytes: int = 0) -> None:
        """Count parts by what came of them."""
        with self._lock:
            self._counts[result] += parts
            if result in self._bytes:
                self._bytes[result] += size_bytes

    def note_answered(self) -> None:
        """The store answered a read as it should."""
        with self._lock:
            was_ok, self._is_ok, self._rests_until = self._is_ok, True, 0.0
        if not was_ok:
            log.event("segment_store_back", location=self._location)

    def note_failed(self, error: OffloaderError) -> None:
        """The store did not answer a read; builds go on without it for a while."""
        self._remember(error)
        rests_until = self._clock() + REST_SECONDS
        with self._lock:
            was_ok, self._is_ok, self._rests_until = self._is_ok, False, rests_until
        if was_ok:
            log.warning("segment_store_failed", location=self._location, **_shown(error))

    def note_not_fetched(self, ref: PartRef, error: OffloaderError) -> None:
        """The cache has no place for a part; the store is not to blame."""
        before = self._remember(error)
        if before is None or before["code"] != error.code:
            log.warning("segment_not_fetched", dataset=ref.dataset, **_shown(error))

    def note_corrupt(self, ref: PartRef, error: OffloaderError) -> None:
        """A copy of a part is not that part."""
        self.count("corrupt")
        self._remember(error)
        log.warning("shared_part_refused", dataset=ref.dataset, **_shown(error))

    def note_written(self) -> None:
        """The store took a part."""
        self._is_writable = True

    def note_not_writable(self, error: OffloaderError) -> None:
        """The store takes no parts; what is there is read all the same."""
        self._remember(error)
        with self._lock:
            was_writable, self._is_writable = self._is_writable, False
        if was_writable:
            log.warning("segment_store_not_writable", location=self._location, **_shown(error))

    def note_not_shared(self, ref: PartRef, error: OffloaderError) -> None:
        """A part was not uploaded, and is not tried again before the next swap."""
        self._remember(error)
        log.warning("segment_not_shared", dataset=ref.dataset, **_shown(error))

    def take_over(self, told: Mapping[str, Any]) -> None:
        """Add what was counted before; `told` is a document of before."""
        with self._lock:
            for result in RESULTS:
                self._counts[result] += told["parts"].get(result, 0)
            for moved in self._bytes:
                self._bytes[moved] += told["bytes"].get(moved, 0)

    def document(self, waiting: Collection[object]) -> dict[str, Any]:
        """Return what the board says; `waiting` are the parts that are to be uploaded."""
        with self._lock:
            return {
                "location": self._location,
                "ok": self._is_ok,
                "writable": self._is_writable,
                "parts": dict(self._counts),
                "bytes": dict(self._bytes),
                "uploads_waiting": len(waiting),
                "last_error": self._error,
            }

    def _remember(self, error: OffloaderError) -> dict[str, Any] | None:
        """Keep an error as the last one; return the one before. Several threads fail at once."""
        told = {**_shown(error), "at": self._clock()}
        with self._lock:
            before, self._error = self._error, told
        return before


def _shown(error: OffloaderError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
