"""Query strings: raw bytes into names and values, strictly and in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from offloader.errors import RequestError

MAX_QUERY_BYTES = 8192
MAX_PAIRS = 100

_PLAIN = re.compile(rb"[^%+\x00\x80-\xff]*")
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SAFE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def parse_query(raw: bytes) -> dict[str, str]:
    """Split and decode a raw query string (no leading `?`) into values by name, in the order sent.

    `+` is a space, a name without `=` has the empty value. Raises RequestError: 414 above 8 KiB;
    422 above 100 pairs, on broken percent-encoding or UTF-8, a NUL, an empty or a repeated name.
    """
    if len(raw) > MAX_QUERY_BYTES:
        message = f"the query string must be at most {MAX_QUERY_BYTES} bytes"
        raise RequestError(414, "invalid_request", "uri_too_long", message)
    if not raw:
        return {}
    if raw.count(b"&") >= MAX_PAIRS:
        raise invalid_param("too_many_params", f"send at most {MAX_PAIRS} parameters")
    if _PLAIN.fullmatch(raw):
        pieces: Iterable[list[str]] = [one.split("=", 1) for one in raw.decode("ascii").split("&")]
    else:
        pieces = ([_decode(part) for part in one.split(b"=", 1)] for one in raw.split(b"&"))
    pairs: dict[str, str] = {}
    for name, *values in pieces:
        value = values[0] if values else ""
        if not name:
            raise invalid_param("empty_param_name", "every parameter needs a name")
        if name in pairs:
            raise invalid_param("repeated_param", "send each parameter once", name)
        pairs[name] = value
    return pairs


def invalid_param(code: str, message: str, name: str | None = None) -> RequestError:
    """Make a 422; `name` is shown only when it has the form of a parameter's name."""
    shown = name if name is not None and _SAFE_NAME.fullmatch(name) else None
    return RequestError(422, "invalid_param", code, message, param=shown)


def _decode(piece: bytes) -> str:
    if b"+" in piece:
        piece = piece.replace(b"+", b" ")
    if b"%" in piece:
        if _BAD_PERCENT.search(piece):
            raise _bad_encoding("write % as %25, and other bytes as % and two hex digits")
        piece = unquote_to_bytes(piece)
    if b"\0" in piece:
        raise _bad_encoding("remove the NUL character")
    try:
        return piece.decode()
    except UnicodeDecodeError:
        raise _bad_encoding("encode the text as UTF-8 before percent-encoding it") from None


def _bad_encoding(remedy: str) -> RequestError:
    return invalid_param("bad_query_encoding", f"the query string cannot be read: {remedy}")
