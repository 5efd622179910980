"""Encode: a result into the bytes of a body."""

from __future__ import annotations

from functools import lru_cache

from offloader.query.cell_text import cell_texts
from offloader.query.execute import Result
from offloader.query.params import Bound
from offloader.query.plan import Plan

_TEMPLATES_KEPT = 256


def encode_json(plan: Plan, bound: Bound, result: Result, *, stale: bool) -> bytes:
    """Return the body `{"data":[...],"meta":{...}}` as compact UTF-8.

    `stale` says whether the watermark has left the freshness window; without one it is ignored.
    """
    meta = page_meta(plan, bound, result, stale=stale)
    texts = result.texts
    if texts is None:
        rows = ",".join(_row_texts(bound, result))
        return f'{{"data":[{rows}],"meta":{meta}}}'.encode()
    end = f'],"meta":{meta}}}'.encode()
    if len(texts) == 1:
        return b"".join((b'{"data":[', texts[0], end))
    return b"".join((b'{"data":[', b",".join(texts), end))


def page_meta(plan: Plan, bound: Bound, result: Result, *, stale: bool) -> str:
    """Return the `meta` of one page as JSON text, whatever format its rows come in."""
    return plan.envelope.meta(
        row_count=result.row_count,
        limit=bound.limit,
        offset=bound.offset,
        next_offset=result.next_offset,
        next_cursor=result.next_cursor,
        stale=stale,
    )


def encode_ndjson(bound: Bound, result: Result) -> bytes:
    """Return one JSON object a row, each ended by a line feed; nothing when there is no row."""
    if result.texts is None:
        return "".join(f"{row}\n" for row in _row_texts(bound, result)).encode()
    return b"".join([piece for row in result.texts for piece in (row, b"\n")])


def _row_texts(bound: Bound, result: Result) -> list[str]:
    template = _template(bound.columns)
    columns = [cell_texts(cells) for cells in result.columns]
    return [template % row for row in zip(*columns, strict=True)]


@lru_cache(maxsize=_TEMPLATES_KEPT)
def _template(columns: tuple[str, ...]) -> str:
    return "{" + ",".join(f'"{alias}":%s' for alias in columns) + "}"
