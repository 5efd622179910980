"""Whatever botocore raises arrives as an error of stores, without a secret in it."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Iterator

import pytest

from offloader.errors import SourceUnavailable
from offloader.stores import s3
from offloader.stores.access import Access
from offloader.stores.s3 import S3Store
from offloader.stores.store import (
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoredObject,
    StoreFailed,
)
from tests.stores.answering import HANG, RESET, Answering, answer_of, answering

SECRETS = ("KEYID-secret", "KEY-secret", "SESSION-secret")
FOUND = StoredObject("a/key", 100, '"77"', 0.0)
CALLS: dict[str, Callable[[S3Store], object]] = {
    "stat": lambda store: store.stat("a/key"),
    "list": lambda store: store.list("a/", most=9),
    "read": lambda store: list(store.read(FOUND)),
    "range": lambda store: list(store.read(FOUND, 10, 20)),
    "write": lambda store: store.write("a/key", io.BytesIO(b"12345"), 5),
}
ALL = tuple(CALLS)
READS = ("read", "range")


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    """Run one server; each test sets what it answers."""
    with answering() as running:
        yield running


@pytest.fixture(scope="module")
def store(server: Answering) -> S3Store:
    """Return a store there."""
    return opened(server.url)


def opened(url: str, bucket: str = "bucket") -> S3Store:
    """Open a bucket at an endpoint."""
    key_id, secret, session_token = SECRETS
    access = Access(
        s3_region="eu-north-1",
        s3_endpoint=url,
        s3_key_id=key_id,
        s3_secret=secret,
        s3_session_token=session_token,
    )
    return S3Store.open(bucket, access)


def failure(call: str, store: S3Store) -> SourceUnavailable:
    """Return the error of one call; no secret is in it, nor in what it came from."""
    with pytest.raises(SourceUnavailable) as raised:
        CALLS[call](store)
    told = "".join(traceback.format_exception(raised.value))
    assert not [secret for secret in (*SECRETS, "Signature") if secret in told]
    return raised.value


def _said(status: int, code: str = "", **headers: str) -> Callable[[object], bytes]:
    """Answer with a status, and a code in the body where there is one."""
    body = f"<Error><Code>{code}</Code><Message>KEY-secret</Message></Error>".encode()
    closed = {"connection": "close", **headers}

    def answer(asked: object) -> bytes:
        is_head = getattr(asked, "method", "") == "HEAD"
        return answer_of(status, b"" if is_head or not code else body, None, **closed)

    return answer


@pytest.mark.parametrize(
    ("status", "code", "calls", "kind", "expected"),
    [
        (403, "AccessDenied", ALL, StoreDenied, "store_denied"),
        (403, "SignatureDoesNotMatch", ALL, StoreDenied, "store_denied"),
        (400, "ExpiredToken", ("list", *READS, "write"), StoreDenied, "store_denied"),
        (404, "NoSuchBucket", ("list", *READS, "write"), StoreDenied, "bucket_missing"),
        (404, "NoSuchKey", ("stat",), ObjectMissing, "object_missing"),
        (404, "NoSuchKey", READS, ObjectChanged, "object_changed"),
        (412, "PreconditionFailed", READS, ObjectChanged, "object_changed"),
        (416, "InvalidRange", READS, ObjectChanged, "object_changed"),
        (412, "PreconditionFailed", ("write",), ObjectExists, "object_exists"),
        (409, "ConditionalRequestConflict", ("write",), StoreFailed, "store_busy"),
        (400, "RequestTimeout", ("write",), StoreFailed, "store_busy"),
        (503, "SlowDown", ALL, StoreFailed, "store_busy"),
        (429, "", ALL, StoreFailed, "store_busy"),
        (500, "InternalError", ALL, StoreFailed, "store_busy"),
        (400, "InvalidArgument", ALL, StoreDenied, "store_refused"),
        (301, "PermanentRedirect", ALL, StoreDenied, "wrong_region"),
        (302, "", ALL, StoreDenied, "store_refused"),
        (307, "", ALL, StoreDenied, "store_refused"),
        (200, "odd", ("stat", *READS), StoreFailed, "store_garbled"),
    ],
)
def test_each_answer_has_its_error(
    server: Answering,
    store: S3Store,
    status: int,
    code: str,
    calls: tuple[str, ...],
    kind: type[SourceUnavailable],
    expected: str,
) -> None:
    """What a store says is told by its status and code, never by its words."""
    server.answer = _said(status, code)
    for call in calls:
        error = failure(call, store)
        assert (call, type(error), error.code) == (call, kind, expected)
        assert error.hint


def test_a_bucket_elsewhere_is_asked_there(server: Answering, store: S3Store) -> None:
    """A redirect that names the region is followed once; else the hint names the setting."""
    server.answer = _said(301, "PermanentRedirect", x_amz_bucket_region="eu-central-1")
    server.asked.clear()
    error = failure("read", store)
    assert (error.code, len(server.asked)) == ("wrong_region", 2)
    assert "OFFLOADER_S3_REGION" in error.hint
    assert ["eu-central-1" in asked.headers["authorization"] for asked in server.asked] == [
        False,
        True,
    ]


@pytest.mark.parametrize("call", ALL)
def test_each_call_is_made_once(server: Answering, store: S3Store, call: str) -> None:
    """Botocore tries nothing again: that is for the patient store."""
    server.answer = _said(503, "SlowDown", retry_after="7")
    server.asked.clear()
    error = failure(call, store)
    assert len(server.asked) == 1
    assert isinstance(error, StoreFailed)
    assert error.after_seconds == 7.0


@pytest.mark.parametrize("call", ALL)
@pytest.mark.parametrize("said", [b"", RESET, HANG], ids=["closed", "reset", "silent"])
def test_no_answer_is_unreachable(
    server: Answering, monkeypatch: pytest.MonkeyPatch, call: str, said: bytes
) -> None:
    """A connection that closes, breaks or stays silent is a store that cannot be reached."""
    for name in ("ASK_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(s3, name, (1.0, 0.1))
    server.answer = lambda _: said
    error = failure(call, opened(server.url))
    assert (type(error), error.code) == (StoreFailed, "store_unreachable")
    assert ("in time" in error.message) == (said == HANG)


def test_a_refused_connection_is_unreachable() -> None:
    """A port where nobody listens is told by what the system says of it."""
    with answering() as gone:
        pass
    error = failure("stat", opened(gone.url))
    assert error.message == "s3://bucket cannot be reached: Connection refused"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"etag": '"78"', "content_range": "bytes 10-29/100"}, bytes(20), "object_changed"),
        ({"etag": '"77"', "content_range": "bytes 10-29/101"}, bytes(20), "object_wrong_range"),
        ({"etag": '"77"', "content_range": "bytes 11-30/100"}, bytes(20), "object_wrong_range"),
        ({"etag": '"77"'}, bytes(20), "object_wrong_range"),
        ({"etag": '"77"', "content_range": "bytes 10-29/100"}, bytes(21), "object_overlong"),
        ({"etag": '"77"', "content_range": "bytes 10-29/100"}, bytes(19), "object_cut_short"),
        ({"content_range": "bytes 10-29/100"}, bytes(20), "store_garbled"),
    ],
)
def test_an_answer_that_is_not_the_one_asked_for_is_refused(
    server: Answering, store: S3Store, headers: dict[str, str], body: bytes, code: str
) -> None:
    """A store that ignores If-Match or Range, or lies about a length, is not believed."""
    server.answer = lambda _: answer_of(206, body, None, connection="close", **headers)
    assert failure("range", store).code == code


def test_a_body_that_breaks_gives_what_came(server: Answering, store: S3Store) -> None:
    """The pieces before a break are yielded, so that a read can go on behind them."""
    size = 200_000
    found = StoredObject("a/key", size, '"77"', 0.0)
    head = answer_of(206, length=size, etag='"77"', content_range=f"bytes 0-{size - 1}/{size}")
    server.answer = lambda _: head + bytes(150_000)
    got: list[bytes] = []
    with pytest.raises(StoreFailed) as raised:
        got.extend(store.read(found))
    assert raised.value.code == "object_cut_short"
    assert 150_000 - s3._PIECE_BYTES <= len(b"".join(got)) <= 150_000


def test_a_name_that_no_bucket_has_is_told(server: Answering) -> None:
    """What botocore refuses to ask is told by the kind of its error alone."""
    server.asked.clear()
    error = failure("stat", opened(server.url, "KEY secret"))
    assert (type(error), error.code) == (StoreDenied, "store_misconfigured")
    assert error.message == "s3://KEY secret cannot be asked: ParamValidationError"
    assert server.asked == []


@pytest.mark.parametrize(
    ("headers", "checksum"),
    [
        ({"x_amz_checksum_crc32c": "lnkbVQ=="}, ("crc32c", "96791b55")),
        ({"x_amz_checksum_crc32c": "lnkbVQ==-3"}, None),
        ({"x_amz_checksum_crc32c": "lnkbVQ==", "x_amz_checksum_type": "COMPOSITE"}, None),
        ({"x_amz_checksum_crc32c": "lnkb"}, None),
        (
            {"etag": '"4b3a6218bb3e3a7303e8a171a60fcf92"'},
            ("md5", "4b3a6218bb3e3a7303e8a171a60fcf92"),
        ),
        ({"etag": '"4b3a6218bb3e3a7303e8a171a60fcf92-2"'}, None),
    ],
)
def test_a_checksum_of_the_whole_object_is_taken(
    server: Answering, store: S3Store, headers: dict[str, str], checksum: tuple[str, str] | None
) -> None:
    """What a store says of parts of an object is not compared."""
    said = {"etag": '"77"', "last_modified": "Mon, 01 Jun 2026 00:00:00 GMT", **headers}
    server.answer = lambda _: answer_of(200, b"", 5, connection="close", **said)
    found = store.stat("a/key")
    assert found == StoredObject("a/key", 5, said["etag"], 1780272000.0, checksum)
