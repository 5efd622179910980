"""The envelope around rows: what every body of one endpoint on one segment says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from json import JSONEncoder

from offloader.catalog.model import Endpoint
from offloader.query.cell_text import timestamp_text
from offloader.query.cursor import cursor_head
from offloader.segment.read import Segment

_ENDS_KEPT = 256
_json = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Envelope:
    """Ready pieces of `meta`: what stands before the page's numbers, and what after them.

    `cursor_head` is what all cursors of these answers begin with. Ends of pages are kept, for the
    first few numbers of rows that occur: most pages have one of them.
    """

    head: str
    tail_fresh: str
    tail_stale: str
    cursor_head: bytes
    _ends: dict[tuple[int, int, int, bool], bytes] = field(default_factory=dict)

    def end(self, row_count: int, limit: int, offset: int, *, stale: bool) -> bytes:
        """Return what stands behind the rows of a last page: the end of `data`, and `meta`."""
        page = (row_count, limit, offset, stale)
        end = self._ends.get(page)
        if end is None:
            meta = self.meta(
                row_count=row_count,
                limit=limit,
                offset=offset,
                next_offset=None,
                next_cursor=None,
                stale=stale,
            )
            end = f'],"meta":{meta}}}'.encode()
            if len(self._ends) < _ENDS_KEPT:
                self._ends[page] = end
        return end

    def meta(
        self,
        *,
        row_count: int,
        limit: int,
        offset: int,
        next_offset: int | None,
        next_cursor: str | None,
        stale: bool,
    ) -> str:
        """Return the `meta` object as JSON text, fields in the contract's order."""
        tail = self.tail_stale if stale else self.tail_fresh
        page = f'{self.head}"row_count":{row_count},"limit":{limit},"offset":{offset}'
        if next_offset is None:
            return f'{page},"next_offset":null,"next_cursor":null{tail}'
        return f'{page},"next_offset":{next_offset},"next_cursor":"{next_cursor}"{tail}'


def make_envelope(endpoint: Endpoint, segment: Segment) -> Envelope:
    """Prepare the envelope of an endpoint's answers from one segment.

    Without a freshness window nothing is ever stale.
    """
    head = {
        "endpoint": endpoint.name,
        "version": endpoint.version,
        "snapshot_id": segment.snapshot_id,
    }
    has_window = endpoint.max_staleness_minutes is not None
    return Envelope(
        head=_json(head)[:-1] + ",",
        tail_fresh=_tail(endpoint, segment, False),
        tail_stale=_tail(endpoint, segment, has_window),
        cursor_head=cursor_head(endpoint, segment.manifest_digest),
    )


def _tail(endpoint: Endpoint, segment: Segment, stale: bool) -> str:
    minutes = endpoint.max_staleness_minutes
    if minutes is not None and float(minutes).is_integer():
        minutes = int(minutes)
    freshness = {
        "watermark": timestamp_text(segment.watermark),
        "max_staleness_minutes": minutes,
        "stale": stale,
    }
    return "," + _json({"serving_mode": endpoint.serving_mode, "freshness": freshness})[1:]
