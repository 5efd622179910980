"""What a fault proxy does to a request: one frozen Fault, and which requests are of which kind."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Kind = Literal["stat", "list", "read", "write"]
KINDS: tuple[Kind, ...] = ("stat", "list", "read", "write")
Headers = list[tuple[str, str]]

_GCS_OBJECT = re.compile(r"/storage/v1/b/[^/]+/o/.+")
_GCS_LIST = re.compile(r"/storage/v1/b/[^/]+/o/?")
_TIMES = re.compile(
    rb'((?:"updated"|"timeCreated"|"timeStorageClassUpdated"):\s*"|<LastModified>)'
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"
)
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to the requests of some kinds whose target has `only` in it.

    It ends after `times` requests, None: when the test ends it. `drop` carries a request out and
    resets the connection instead of an answer; `stale` repeats what was told before. What cuts or
    changes a body (`reset_after`, `truncate_after`, `flip_at`, in bytes of that body;
    `length_offset`, added to Content-Length) leaves shorter bodies as they are.
    """

    kinds: Collection[str] = KINDS
    only: str = ""
    times: int | None = None
    refuse: bool = False
    hang: bool = False
    drop: bool = False
    latency_seconds: float = 0.0
    chunk_seconds: float = 0.0
    status: int = 0
    retry_after: str | None = None
    echo: bool = False
    reset_after: int | None = None
    truncate_after: int | None = None
    length_offset: int = 0
    flip_at: int | None = None
    stale: bool = False
    clock_seconds: float = 0.0

    def is_for(self, kind: Kind, target: str) -> bool:
        """Tell whether a request of this kind is to suffer."""
        return kind in self.kinds and self.only in target


NONE = Fault()


def kind_of(method: str, target: str) -> Kind:
    """Say what a request is for, in either protocol."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    if method in ("PUT", "POST"):
        return "write"
    if method == "HEAD":
        return "stat"
    if _GCS_LIST.fullmatch(parts.path) or "list-type" in query:
        return "list"
    is_stat = _GCS_OBJECT.fullmatch(parts.path) and query.get("alt") != ["media"]
    return "stat" if is_stat else "read"


def shifted_headers(headers: Headers, seconds: float) -> Headers:
    """Return headers with the store's clock moved."""
    return [
        (name, _shifted_date(value, seconds))
        if name.lower() in ("date", "last-modified")
        else (name, value)
        for name, value in headers
    ]


def shifted_body(body: bytes, seconds: float) -> bytes:
    """Return a listing or a description of an object with the store's clock moved."""

    def move(match: re.Match[bytes]) -> bytes:
        at = datetime.strptime(match[2].decode(), _TIME_FORMAT).replace(tzinfo=UTC)
        return match[1] + (at + timedelta(seconds=seconds)).strftime(_TIME_FORMAT).encode()

    return _TIMES.sub(move, body)


def _shifted_date(value: str, seconds: float) -> str:
    moved = parsedate_to_datetime(value).astimezone(UTC) + timedelta(seconds=seconds)
    return format_datetime(moved, usegmt=True)


def refusal(fault: Fault, method: str, heard: bytes) -> tuple[Headers, bytes]:
    """Return headers and body of a refused request; `heard` is what an echo gives back."""
    said = heard if fault.echo else b"a fault on purpose"
    body = b"<Error><Code>Fault</Code><Message>" + said + b"</Message></Error>"
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    if fault.retry_after is not None:
        headers.append(("Retry-After", fault.retry_after))
    return headers, b"" if method == "HEAD" else body
