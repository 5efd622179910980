"""Whatever Google's libraries raise arrives as an error of stores, without a secret in it."""

from __future__ import annotations

import io
import ssl
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import google.api_core.exceptions
import google.auth.exceptions
import google.cloud.storage.exceptions
import pytest
import requests.exceptions
import trustme
import urllib3.exceptions

from offloader.errors import SourceUnavailable
from offloader.stores import gcs
from offloader.stores.access import Access
from offloader.stores.gcs import GcsStore
from offloader.stores.gcs_errors import translated
from offloader.stores.store import (
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoredObject,
    StoreFailed,
)
from tests.stores.answering import HANG, RESET, Answering, answer_of, answering

TOKEN = "secret-token"
FOUND = StoredObject("a/key", 100, "77", 0.0)
STATED = b'{"name":"a/key","size":"100","generation":"77","timeCreated":"2026-01-01T00:00:00Z"}'
NO_BUCKET = b'{"error":{"code":404,"message":"The specified bucket does not exist."}}'
Call = Callable[[GcsStore], object]
CALLS: dict[str, Call] = {
    "stat": lambda store: store.stat("a/key"),
    "list": lambda store: store.list("a/", most=9),
    "read": lambda store: list(store.read(FOUND)),
    "range": lambda store: list(store.read(FOUND, 10, 20)),
    "write": lambda store: store.write("a/key", io.BytesIO(b"12345"), 5),
}
ALL = tuple(CALLS)


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    """Run one server; each test sets what it answers."""
    with answering() as running:
        yield running


def failure(call: str, url: str) -> SourceUnavailable:
    """Return the error of one call to a store at an endpoint; the token is nowhere in it."""
    access = Access(gcs_auth="bearer", gcs_token=TOKEN, gcs_emulator_url=url)
    with pytest.raises(SourceUnavailable) as raised:
        CALLS[call](GcsStore.open("bucket", access))
    printed = "".join(traceback.format_exception(raised.value))
    assert TOKEN not in printed + repr(raised.value) + raised.value.hint
    assert "alt=media" not in printed.partition("Traceback")[0] + str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("status", "calls", "kind", "code"),
    [
        (401, ALL, StoreDenied, "store_denied"),
        (403, ALL, StoreDenied, "store_denied"),
        (404, ("stat",), ObjectMissing, "object_missing"),
        (404, ("list", "write"), StoreDenied, "bucket_missing"),
        (404, ("read", "range"), ObjectChanged, "object_changed"),
        (412, ("read", "range"), ObjectChanged, "object_changed"),
        (412, ("write",), ObjectExists, "object_exists"),
        (400, ALL, StoreDenied, "store_refused"),
        (302, ALL, StoreDenied, "store_refused"),
        (416, ("range",), StoreDenied, "store_refused"),
        (408, ALL, StoreFailed, "store_busy"),
        (429, ALL, StoreFailed, "store_busy"),
        (500, ALL, StoreFailed, "store_busy"),
        (503, ALL, StoreFailed, "store_busy"),
        (599, ALL, StoreFailed, "store_busy"),
    ],
)
def test_a_status_is_an_error_of_stores(
    server: Answering, status: int, calls: tuple[str, ...], kind: type[Exception], code: str
) -> None:
    """Each status of each call has its error; what the store quotes back is not told."""
    for call in calls:
        server.answer = lambda asked: answer_of(
            status, asked.headers["authorization"].encode(), location="/elsewhere?sig=1"
        )
        error = failure(call, server.url)
        assert (type(error), error.code) == (kind, code)


def test_a_store_may_ask_to_wait(server: Answering) -> None:
    """Retry-After in seconds is told to who waits; a date is not."""
    for call in ALL:
        for text, seconds in (("7", 7.0), ("Mon, 23 Nov 2026 19:04:28 GMT", 0.0)):
            server.answer = lambda _, text=text: answer_of(503, retry_after=text)  # type: ignore[misc]
            error = failure(call, server.url)
            assert isinstance(error, StoreFailed)
            assert error.after_seconds == seconds


def test_a_missing_bucket_is_told(server: Answering) -> None:
    """Looking an object up tells a missing bucket from a missing object."""
    server.answer = lambda _: answer_of(404, NO_BUCKET, content_type="application/json")
    assert failure("stat", server.url).code == "bucket_missing"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "store_unreachable"),
        (RESET, "store_unreachable"),
        (b"SSH-2.0-server\r\n", "store_unreachable"),
        (b"HTTP/1.1 200 OK\r\nconte" + RESET, "store_unreachable"),
        (HANG, "store_unreachable"),
    ],
)
def test_no_answer_is_an_unreachable_store(
    server: Answering, monkeypatch: pytest.MonkeyPatch, said: bytes, code: str
) -> None:
    """Silence, a reset and another protocol are a store that cannot be reached."""
    monkeypatch.setattr(gcs, "ASK_SECONDS", (0.2, 0.2))
    monkeypatch.setattr(gcs, "WRITE_SECONDS", (0.2, 0.2))
    server.answer = lambda _: said
    for call in ALL:
        error = failure(call, server.url)
        assert (type(error), error.code) == (StoreFailed, code)


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"[]", b"{}", b'{"items":[{"size":"x"}]}', b"\xff", b""]
)
def test_an_answer_that_is_no_answer(server: Answering, body: bytes) -> None:
    """What a proxy says in the store's place, and what lacks its fields, is not understood."""
    server.answer = lambda _: answer_of(200, body, content_type="application/json")
    for call in ("stat", "write") + (("list",) if b"items" in body or b"<" in body else ()):
        assert failure(call, server.url).code == "store_garbled"


BODY = bytes(100)


@pytest.mark.parametrize(
    ("call", "said", "code"),
    [
        ("read", answer_of(200, BODY[:40], length=100), "object_cut_short"),
        ("read", answer_of(200, BODY[:40], length=100) + RESET, "object_cut_short"),
        ("read", answer_of(200, BODY[:40]), "object_cut_short"),
        ("read", answer_of(200, bytes(101)), "object_overlong"),
        ("read", answer_of(206, BODY), "object_wrong_range"),
        ("range", answer_of(200, BODY), "object_wrong_range"),
        ("range", answer_of(206, BODY[:20], content_range="bytes 11-30/100"), "object_wrong_range"),
        ("range", answer_of(206, BODY[:20], content_range="bytes 10-29/101"), "object_wrong_range"),
        ("range", answer_of(206, BODY[:30], content_range="bytes 10-29/100"), "object_overlong"),
        ("read", answer_of(200, BODY, x_goog_generation="78"), "object_changed"),
    ],
)
def test_a_body_that_is_not_what_was_asked_for(
    server: Answering, call: str, said: bytes, code: str
) -> None:
    """A body that is too short, too long, of another place or version is never taken for it."""
    server.answer = lambda _: said
    assert failure(call, server.url).code == code


def test_the_bytes_before_a_break_arrive(server: Answering) -> None:
    """What came of a body before it broke is handed out, so that a read can go on from there."""
    server.answer = lambda _: answer_of(200, b"x" * 40, length=100) + RESET
    store = GcsStore.open("bucket", Access(gcs_emulator_url=server.url))
    body = store.read(FOUND)
    assert next(body) == b"x" * 40
    with pytest.raises(StoreFailed, match="ended 60 bytes too early"):
        next(body)


def test_a_refused_connection_says_so() -> None:
    """Why a store cannot be reached is told in words."""
    with answering() as gone:
        url = gone.url
    for call in ALL:
        error = failure(call, url)
        assert error.message == "gs://bucket cannot be reached: Connection refused"


def test_an_unknown_certificate_is_told() -> None:
    """A TLS certificate of nobody known is never accepted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with answering(context) as server:
        for call in ALL:
            error = failure(call, server.url)
            assert error.message.endswith("its TLS certificate cannot be verified")
    assert server.asked == []


UNUSED = {  # raised by calls that are awaited, and by downloads into folders
    google.api_core.exceptions.AsyncRestUnsupportedParameterError,
    google.cloud.storage.exceptions.InvalidPathError,
}


def errors_of(module: ModuleType) -> list[type[Exception]]:
    """Return every exception that a module defines and that its library may raise here."""
    found = [one for one in vars(module).values() if isinstance(one, type) and one not in UNUSED]
    own = [one for one in found if one.__module__ == module.__name__]
    return [one for one in own if issubclass(one, Exception) and not issubclass(one, Warning)]


MODULES: tuple[Any, ...] = (
    google.api_core.exceptions,
    google.auth.exceptions,
    google.cloud.storage.exceptions,
    requests.exceptions,
    urllib3.exceptions,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_exception_of_the_libraries_passes(module: ModuleType) -> None:
    """Each exception that these libraries have is translated, and none of its words is told."""
    kinds = errors_of(module)
    assert kinds
    for kind in kinds:
        with pytest.raises(SourceUnavailable) as raised, translated("gs://b", "key", "stat"):
            raise made(kind)
        printed = "".join(traceback.format_exception(raised.value))
        assert TOKEN not in printed, kind


def made(kind: type[Exception]) -> Exception:
    """Make an exception with a secret in its words, however it is usually made."""
    try:
        error = kind(TOKEN)
    except TypeError:
        error = kind.__new__(kind)
        error.args = (TOKEN,)
    if kind is google.cloud.storage.exceptions.InvalidResponse:
        error.response = SimpleNamespace(status_code=500, headers={})  # type: ignore[attr-defined]
    return error
