"""Cursors: where the next page begins, and on which snapshot, as a short text.

A cursor is no secret and grants nothing: whoever makes one up gets a page of rows that the same
key can ask for with `offset`. It is 45 bytes in url-safe base64 (RFC 4648, section 5), 60
characters, numbers big-endian:

    offset  bytes
         0      1  version, 1
         1     16  digest of the snapshot's manifest
        17      4  xxh32 of the endpoint's name
        21      8  xxh3-64 of the endpoint's contract digest
        29      8  xxh3-64 of the values and columns asked for, and of the key's tenant
        37      4  how many rows the pages before hold
        41      4  crc32 of all of it, against typing errors

The limit is not in it: a caller may ask for longer or shorter pages on the way.
"""

from __future__ import annotations

import re
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import xxhash

from offloader.catalog.model import Endpoint
from offloader.errors import RequestError
from offloader.query.query_string import invalid_param

VERSION = 1

_HEAD = struct.Struct(">B16s4s8s")
_LAYOUT = struct.Struct(">B16s4s8s8sII")
_NUMBER = struct.Struct(">I").pack
_TEXT = re.compile(r"[A-Za-z0-9_-]{60}")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a cursor says: the snapshot and the offset it continues at, and whose it is.

    `endpoint`, `contract` and `asked` are digests; `check_cursor` compares them with a request's.
    """

    manifest_digest: str
    offset: int
    endpoint: bytes
    contract: bytes
    asked: bytes


def cursor_head(endpoint: Endpoint, manifest_digest: str) -> bytes:
    """Return what all cursors of an endpoint on one snapshot begin with, 29 bytes.

    `manifest_digest` is 32 hex digits.
    """
    name = xxhash.xxh32_digest(endpoint.name.encode())
    contract = xxhash.xxh3_64_digest(endpoint.digest.encode())
    return _HEAD.pack(VERSION, bytes.fromhex(manifest_digest), name, contract)


def asked_digest(
    values: Mapping[str, object], columns: tuple[str, ...], tenant: str | None
) -> bytes:
    """Return the 8 bytes that stand for what is asked for, whichever page of it.

    `values` and `columns` are a bound request's, `tenant` is the key's.
    """
    return xxhash.xxh3_64_digest(f"{values!a}{columns!a}{tenant!a}".encode())


def write_cursor(head: bytes, asked: bytes, offset: int) -> str:
    """Return the cursor of the page at `offset`; `head` and `asked` say of what.

    The same on every worker, replica and restart. `offset` is below 2^32.
    """
    content = head + asked + _NUMBER(offset)
    raw = content + _NUMBER(crc32(content))
    return b2a_base64(raw, newline=False).translate(_TO_URL).decode("ascii")


def read_cursor(text: str) -> Cursor:
    """Return what a cursor says; raise RequestError 422 `bad_cursor` for any other text."""
    if not _TEXT.fullmatch(text):
        raise bad_cursor("send it as meta.next_cursor gave it, 60 characters")
    raw = a2b_base64(text.translate(_FROM_URL))
    version, manifest, endpoint, contract, asked, offset, checksum = _LAYOUT.unpack(raw)
    if version != VERSION or checksum != crc32(raw[:-4]):
        raise bad_cursor("send it as meta.next_cursor gave it, unchanged")
    return Cursor(manifest.hex(), offset, endpoint, contract, asked)


def check_cursor(cursor: Cursor, head: bytes, asked: bytes) -> None:
    """Refuse a cursor of other requests than this one; `head` may be of any snapshot.

    Raises RequestError 422 `bad_cursor` for one of another endpoint, other parameters or another
    tenant, and 410 `cursor_gone` when the endpoint's contract has changed since.
    """
    _, _, endpoint, contract = _HEAD.unpack(head)
    if cursor.endpoint != endpoint:
        raise bad_cursor("it is of another endpoint: send the cursor of this endpoint's last page")
    if cursor.contract != contract:
        raise cursor_gone()
    if cursor.asked != asked:
        raise bad_cursor("it is of another request: send the key and parameters it began with")


def bad_cursor(remedy: str) -> RequestError:
    """Return the 422 for a cursor that is none, or of another request."""
    return invalid_param("bad_cursor", f"cursor cannot be used: {remedy}", "cursor")


def cursor_gone() -> RequestError:
    """Return the 410 for a cursor whose snapshot, or contract, is not served any more."""
    message = "the snapshot this cursor began on is no longer held: start again without cursor"
    return RequestError(410, "gone", "cursor_gone", message, param="cursor")
