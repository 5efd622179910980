"""Rules of cursors: short, the same everywhere, and of no use to other requests."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offloader.catalog.model import Endpoint
from offloader.errors import RequestError
from offloader.query.cursor import (
    Cursor,
    asked_digest,
    check_cursor,
    cursor_head,
    read_cursor,
    write_cursor,
)

ENDPOINT = Endpoint(
    name="usage", version=1, dataset="usage", select=(), columns=("day", "calls"), digest="e" * 32
)
MANIFEST = "0123456789abcdef" * 2
VALUES = {"region": "eu", "day": 20_000, "plans": ("a", "b")}
COLUMNS = ("day", "calls")
HEAD = cursor_head(ENDPOINT, MANIFEST)
ASKED = asked_digest(VALUES, COLUMNS, "tenant_0")
WRITTEN = write_cursor(HEAD, ASKED, 50)


def refusal(text: str) -> tuple[int, str, str | None]:
    """Return how a text is refused: status, code, param."""
    with pytest.raises(RequestError) as raised:
        read_cursor(text)
    return raised.value.status, raised.value.code, raised.value.param


def checked(head: bytes, asked: bytes) -> tuple[int, str, str]:
    """Return how the cursor is refused for another request: status, family, code."""
    with pytest.raises(RequestError) as raised:
        check_cursor(read_cursor(WRITTEN), head, asked)
    return raised.value.status, raised.value.family, raised.value.code


def altered(raw: bytes, *, checksum: bool = True) -> str:
    """Return the cursor of some bytes, under a checksum that fits or the old one."""
    raw = raw[:-4] + crc32(raw[:-4]).to_bytes(4, "big") if checksum else raw
    return urlsafe_b64encode(raw).decode()


def test_a_cursor_is_these_bytes() -> None:
    """The same on every worker, replica and version that writes version 1."""
    assert WRITTEN == "AQEjRWeJq83vASNFZ4mrze8wwTO9JRcXZMSjIcvVePaflo0HTwAAADIFiwTg"
    raw = urlsafe_b64decode(WRITTEN)
    assert raw[:17].hex() == "01" + MANIFEST
    assert raw[37:41] == (50).to_bytes(4, "big")
    assert raw[41:] == crc32(raw[:41]).to_bytes(4, "big")


@given(
    offset=st.integers(0, 2**32 - 1),
    manifest=st.text("0123456789abcdef", min_size=32, max_size=32),
    tenant=st.none() | st.text(),
    values=st.dictionaries(st.text(), st.text() | st.integers() | st.floats()),
)
@example(offset=2**32 - 1, manifest="f" * 32, tenant="", values={})
def test_what_is_written_is_read(
    offset: int, manifest: str, tenant: str | None, values: dict[str, object]
) -> None:
    """Of any snapshot, place and request; it needs no escaping in a URL and stays short."""
    head, asked = cursor_head(ENDPOINT, manifest), asked_digest(values, COLUMNS, tenant)
    text = write_cursor(head, asked, offset)
    assert re.fullmatch(r"[A-Za-z0-9_-]{60}", text)
    cursor = read_cursor(text)
    assert cursor == Cursor(manifest, offset, head[17:21], head[21:29], asked)
    check_cursor(cursor, head, asked)
    check_cursor(cursor, HEAD, asked)  # on whichever snapshot the endpoint is served now


@pytest.mark.parametrize(
    "other",
    [
        asked_digest({**VALUES, "region": "us"}, COLUMNS, "tenant_0"),
        asked_digest({}, COLUMNS, "tenant_0"),
        asked_digest(VALUES, ("calls",), "tenant_0"),
        asked_digest(VALUES, COLUMNS, "tenant_1"),
        asked_digest(VALUES, COLUMNS, None),
    ],
)
def test_a_cursor_of_another_request_is_bad(other: bytes) -> None:
    """Other params, other columns, another tenant."""
    assert checked(HEAD, other) == (422, "invalid_param", "bad_cursor")


def test_a_cursor_of_another_endpoint_is_bad() -> None:
    """Whatever else is the same, and although its contract is another, too."""
    other = cursor_head(replace(ENDPOINT, name="other", digest="f" * 32), MANIFEST)
    assert checked(other, ASKED) == (422, "invalid_param", "bad_cursor")


def test_a_cursor_of_an_older_contract_is_gone() -> None:
    """The caller did nothing wrong; also when what is asked for means something else by now."""
    newer = cursor_head(replace(ENDPOINT, digest="f" * 32), MANIFEST)
    assert checked(newer, ASKED) == (410, "gone", "cursor_gone")
    assert checked(newer, asked_digest({}, (), None)) == (410, "gone", "cursor_gone")


def test_what_changes_no_body_changes_no_cursor() -> None:
    """Of the contract only what its digest covers."""
    assert cursor_head(replace(ENDPOINT, description="new", owner="new"), MANIFEST) == HEAD


RAW = urlsafe_b64decode(WRITTEN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0",
        "-1",
        WRITTEN[:-1],
        WRITTEN + "A",
        WRITTEN + "=",
        WRITTEN + "\n",
        " " + WRITTEN[1:],
        "+" + WRITTEN[1:],
        "/" * 60,
        "A" * 60,
        "_" * 60,
        "é" * 60,
        "\u0660" * 60,
        "\ud800" * 60,
        "A" * 8000,
        WRITTEN * 2,
        altered(b"\x00" + RAW[1:]),
        altered(b"\x02" + RAW[1:]),
        altered(b"\xff" * 45),
        altered(RAW[:40] + b"\x33" + RAW[41:], checksum=False),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    """Too short, too long, not base64, of another version, with a checksum that does not fit."""
    assert refusal(text) == (422, "bad_cursor", "cursor")


@given(st.text(max_size=200) | st.text("ABCxyz019_-", min_size=60, max_size=60))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    """Whatever is sent, there is one refusal for it."""
    assert refusal(text) == (422, "bad_cursor", "cursor")


@given(
    st.integers(0, 59), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_09")
)
def test_one_wrong_letter_is_always_noticed(place: int, letter: str) -> None:
    """crc32 finds every change of up to 32 bits in a row."""
    text = WRITTEN[:place] + letter + WRITTEN[place + 1 :]
    if text != WRITTEN:
        assert refusal(text) == (422, "bad_cursor", "cursor")


def test_nothing_that_was_sent_is_said_again() -> None:
    """A refusal may be logged and shown; it holds nothing of the cursor."""
    with pytest.raises(RequestError) as raised:
        read_cursor("secret" * 10)
    assert "secret" not in raised.value.message
