"""What a request's headers ask for: a representation, and whether it has the body already."""

from __future__ import annotations

import re

from offloader.errors import RequestError

JSON = "application/json"
NDJSON = "application/x-ndjson"
REPRESENTATIONS = (JSON, NDJSON)

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_MAX_HEADER = 4096


def negotiate(accept: str | None) -> str:
    """Return the representation that an Accept header (RFC 9110, 12.5.1) prefers.

    Ties go to JSON. Raises RequestError 406 when it accepts none.
    """
    if accept is None or accept in ("*/*", JSON):
        return JSON
    best, best_quality = "", 0.0
    ranges = _ranges(accept[:_MAX_HEADER])
    for representation in REPRESENTATIONS:
        quality = _quality_of(representation, ranges)
        if quality > best_quality:
            best, best_quality = representation, quality
    if not best:
        message = "send Accept: " + " or ".join(REPRESENTATIONS)
        raise RequestError(406, "invalid_request", "not_acceptable", message)
    return best


def _ranges(accept: str) -> dict[str, float]:
    ranges = {}
    for item in accept.split(","):
        media, *params = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for param in params:
            name, _, value = param.partition("=")
            if name.strip() == "q":
                quality = float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
        if media:
            ranges[media] = quality
    return ranges


def _quality_of(representation: str, ranges: dict[str, float]) -> float:
    """Return the quality of the most specific range that matches."""
    for media in (representation, representation.partition("/")[0] + "/*", "*/*"):
        if media in ranges:
            return ranges[media]
    return 0.0


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether If-None-Match (RFC 9110, 13.1.2) names this ETag; the comparison is weak."""
    if if_none_match is None:
        return False
    text = if_none_match[: 16 * _MAX_HEADER].strip()
    if text == "*":
        return True
    return any(item.strip().removeprefix("W/") == etag for item in text.split(","))
