"""The trace a request belongs to, as its `traceparent` field says (W3C Trace Context, level 1).

    version "-" trace-id "-" parent-id "-" flags        2, 32, 16 and 2 lower-case hex digits

It is read, and never answered or altered.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sanic import Request as HttpRequest

# A version that is not known yet may have more behind the flags; 255 is none.
_FIELD = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?",
    re.DOTALL,
)
_MAX_CHARACTERS = 512


class TraceParent(NamedTuple):
    """What a valid `traceparent` says, in lower-case hex digits."""

    trace_id: str
    span_id: str
    flags: str


def read_traceparent(sent: str | None) -> TraceParent | None:
    """Return what a `traceparent` says; None when there is none, or it is not a valid one."""
    if sent is None or len(sent) > _MAX_CHARACTERS:
        return None
    found = _FIELD.fullmatch(sent)
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return TraceParent(found[2], found[3], found[4])


def traceparent_of(request: HttpRequest) -> str | None:
    """Return a request's `traceparent`; None when it was sent never or twice."""
    sent = request.headers.getall("traceparent", ())
    return str(sent[0]) if len(sent) == 1 else None


def trace_fields(sent: str | None) -> dict[str, Any]:
    """Return the fields `trace_id` and `span_id` of a log line; none for what is not valid."""
    found = read_traceparent(sent)
    return {} if found is None else {"trace_id": found.trace_id, "span_id": found.span_id}
