"""The request heads that the hot path takes: read strictly, and left alone when in doubt.

    GET|HEAD SP /v1/endpoints/<name>[?<query>] SP HTTP/1.1 CRLF
    fields, none of which says how the message is framed or what becomes of the connection
    CRLF, and nothing behind it

The line is matched by one pattern, the fields are parsed by llhttp (RFC 9112 without leniency).
What of them an answer depends on is kept by their bytes: a client sends the same again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

ROUTE = "/v1/endpoints/"
# A name that an endpoint can have. Bytes of a query are visible ASCII; "#" would end it.
LINE = re.compile(
    rb"(GET|HEAD) " + ROUTE.encode() + rb'([a-z0-9_]{1,63})(?:\?([!"$-~]*))? HTTP/1\.1(?=\r\n)'
)
MAX_HEAD_BYTES = 8192
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_END = b"\r\n\r\n"
_KEPT_HEADS = 512
_MAX_KEPT_BYTES = 2048
# They frame a body, ask for another answer first, or for another protocol.
_FOREIGN = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"trailer"})
_READ = (
    b"authorization",
    b"accept",
    b"if-none-match",
    b"accept-encoding",
    b"x-request-id",
    b"origin",
    b"traceparent",
)
_KEEP_ALIVE = b"keep-alive"


class Fields(NamedTuple):
    """The header fields that an answer depends on; None when not sent."""

    authorization: str | None
    accept: str | None
    if_none_match: str | None
    accept_encoding: str | None
    request_id: str | None
    origin: str | None
    traceparent: str | None

    @property
    def comes_again(self) -> bool:
        """Whether the same bytes may come again: ids are new each time."""
        return self.request_id is None and self.traceparent is None


class FieldReader:
    """Reads header fields, and keeps up to 512 heads of at most 2 KiB that it has read."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Fields] = {}

    def read(self, data: bytes, start: int) -> Fields | None:
        """Return the fields behind the request line, which ends at `start`.

        None when this is not one whole head, or anything in it is another's to understand.
        """
        block = data[start:]
        kept = self._kept.get(block)
        if kept is not None:
            return kept
        fields = _parse(data)
        if fields is not None and fields.comes_again and len(block) <= _MAX_KEPT_BYTES:
            if len(self._kept) >= _KEPT_HEADS:
                self._kept.clear()
            self._kept[block] = fields
        return fields


class _Sink(NamedTuple):
    """What llhttp calls for each field."""

    on_header: Callable[[bytes, bytes], None]


def _parse(data: bytes) -> Fields | None:
    is_whole = len(data) <= MAX_HEAD_BYTES and data.find(_END) == len(data) - len(_END)
    if not is_whole or not data.isascii():
        return None
    sent: dict[bytes, bytes] = {}
    try:
        HttpRequestParser(_Sink(sent.__setitem__)).feed_data(data)
    except (HttpParserError, HttpParserUpgrade):
        return None
    found = {name.lower(): value for name, value in sent.items()}
    # One line each, behind the request line: which of two counts is not decided here.
    if len(found) != data.count(b"\r\n") - 2 or not found.keys().isdisjoint(_FOREIGN):
        return None
    if found.get(b"connection", _KEEP_ALIVE).lower() != _KEEP_ALIVE:
        return None
    read = Fields._make(
        None if value is None else value.decode("ascii") for value in map(found.get, _READ)
    )
    if read.request_id is not None and not REQUEST_ID.fullmatch(read.request_id):
        return read._replace(request_id=None)
    return read
