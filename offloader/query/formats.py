"""Formats: the media types an answer comes in, best first where a caller has no preference."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.query.encode import encode_json, encode_ndjson
from offloader.query.encode_arrow import WRITER, encode_arrow
from offloader.query.encode_csv import encode_csv
from offloader.query.execute import Result
from offloader.query.params import Bound
from offloader.query.plan import Plan

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMATS = (JSON, NDJSON, CSV, ARROW)

# Parameters of a Content-Type; a range of an Accept header may ask for them.
FORMAT_PARAMETERS: Mapping[str, Mapping[str, str]] = {
    JSON: {},
    NDJSON: {},
    CSV: {"charset": "utf-8", "header": "present"},
    ARROW: {},
}

# What besides the contract decides a body's bytes: part of its ETag, as ENCODING_VERSION is.
FORMAT_VERSIONS: Mapping[str, str] = {ARROW: WRITER}


def encode(media: str, plan: Plan, bound: Bound, result: Result, *, stale: bool) -> bytes:
    """Return the body of one page in the format `media`, one of FORMATS.

    NDJSON and CSV hold rows only; JSON and Arrow also say what `meta` says. Raises RequestError
    406 for a page that a format cannot hold, and KeyError for another media type.
    """
    if media == JSON:
        return encode_json(plan, bound, result, stale=stale)
    if media == NDJSON:
        return encode_ndjson(bound, result)
    if media == CSV:
        return encode_csv(bound, result)
    if media == ARROW:
        return encode_arrow(plan, bound, result, stale=stale)
    raise KeyError(media)
