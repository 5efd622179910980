"""Stamps: the header fields that all answers of one endpoint share for one second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offloader.catalog.model import Endpoint
from offloader.query.cell_text import timestamp_text
from offloader.segment.read import Segment

PUBLIC_MAX_AGE_SECONDS = 3600
PUBLIC_DEFAULT_AGE_SECONDS = 60


@dataclass(slots=True, eq=False)
class Stamps:
    """Header fields of an endpoint's answers from one segment, made anew once a second.

    Times are seconds since the epoch. An answer after `stale_after` is stale; infinite without a
    window.
    """

    endpoint: Endpoint
    segment: Segment
    watermark: float
    stale_after: float
    _age_seconds: int = -1
    _is_authed: bool = True
    _fields: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint, segment: Segment) -> Stamps:
        """Prepare the stamps of an endpoint on a segment."""
        minutes = endpoint.max_staleness_minutes
        window = math.inf if minutes is None else minutes * 60
        watermark = segment.watermark / 1e6
        return cls(endpoint, segment, watermark, watermark + window)

    def fields(self, now: float, *, is_authed: bool) -> str:
        """Return the field lines on cache and snapshot at `now`, CRLF between them."""
        age_seconds = max(0, int(now - self.watermark))
        if age_seconds != self._age_seconds or is_authed != self._is_authed:
            self._fields = self._made(age_seconds, is_authed=is_authed)
            self._age_seconds, self._is_authed = age_seconds, is_authed
        return self._fields

    def _made(self, age_seconds: int, *, is_authed: bool) -> str:
        return (
            f"Cache-Control: {self._cache_control(age_seconds, is_authed=is_authed)}\r\n"
            f"Offloader-Snapshot-Id: {self.segment.snapshot_id}\r\n"
            f"Offloader-Watermark: {timestamp_text(self.segment.watermark)}\r\n"
            f"Offloader-Snapshot-Age: {age_seconds}"
        )

    def _cache_control(self, age_seconds: int, *, is_authed: bool) -> str:
        if is_authed:
            return "private, no-cache"
        fresh_seconds = PUBLIC_DEFAULT_AGE_SECONDS
        minutes = self.endpoint.max_staleness_minutes
        if minutes is not None:
            left = int(minutes * 60) - age_seconds
            fresh_seconds = min(PUBLIC_MAX_AGE_SECONDS, max(0, left))
        return f"public, max-age={fresh_seconds}, stale-while-revalidate=60"
