"""What a web server answers is taken only if it is what was asked for."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

from offloader.stores.https import HttpsStore
from offloader.stores.store import (
    ObjectChanged,
    StoreDenied,
    StoreFailed,
)
from tests.stores.https.file_server import CONTENT, FileServer, Handler
from tests.stores.subject import code_of, part, whole

HOSTILE: dict[str, tuple[str, dict[str, str | None]]] = {
    "no version": ("version_missing", {"etag": None, "last-modified": None}),
    "a weak version": ("version_missing", {"etag": 'W/"1"', "last-modified": "yesterday"}),
    "packed": ("encoding_unsupported", {"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_pinned_or_measured_is_refused(
    server: FileServer, store: HttpsStore, name: str
) -> None:
    """A server that says no version, or packs what it sends, is refused when looked up."""
    code, headers = HOSTILE[name]
    server.answers["file"] = lambda handler: handler.send_file(gzip.compress(b"1"), headers)
    assert code_of(StoreDenied, store.stat, "file") == code


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (200, {}, CONTENT, "ranges_unsupported"),
        (206, {"content-range": "bytes 11-20/5000"}, b"0123456789", "object_wrong_range"),
        (206, {"content-range": "bytes 10-18/5000"}, b"012345678", "object_wrong_range"),
        (206, {"content-range": "bytes 10-19/*"}, b"0123456789", "object_wrong_range"),
        (206, {}, b"0123456789", "object_wrong_range"),
        (206, {"content-range": "bytes 10-19/5001"}, b"0123456789", "object_changed"),
        (
            206,
            {"content-range": "bytes 10-19/5000", "etag": '"2"'},
            b"0123456789",
            "object_changed",
        ),
        (206, {"content-range": "bytes 10-19/5000"}, b"01234567890", "object_overlong"),
        (206, {"content-range": "bytes 10-19/5000"}, b"012345678", "object_cut_short"),
        (416, {"content-range": "bytes */5"}, b"", "object_changed"),
        (404, {}, b"", "object_changed"),
        (500, {}, b"", "store_busy"),
        (304, {}, b"", "store_refused"),
    ],
)
def test_an_answer_that_is_not_the_one_asked_for_is_refused(
    server: FileServer,
    store: HttpsStore,
    status: int,
    headers: dict[str, str],
    body: bytes,
    code: str,
) -> None:
    """What comes must be of this version, this range and this length: nothing else is taken."""
    found = store.stat("file")
    said = {"etag": found.version, **headers}
    server.answers["file"] = lambda handler: handler.send(status, said, body)
    with pytest.raises((StoreFailed, ObjectChanged)) as refusal:
        part(store, found, 10, 10)
    assert refusal.value.code == code


def test_a_length_below_its_range_gives_the_connection_up(
    server: FileServer, store: HttpsStore
) -> None:
    """Bytes behind an answer that says less than it has are never taken for the next answer."""
    found = store.stat("file")
    before = server.connections

    def short(handler: Handler) -> None:
        headers = {"etag": found.version, "content-range": "bytes 10-19/5000"}
        handler.send(206, {**headers, "content-length": 7}, b"0123456")

    server.answers["file"] = short
    for _ in range(2):
        assert code_of(StoreFailed, part, store, found, 10, 10) == "object_cut_short"
    del server.answers["file"]
    assert part(store, found, 10, 10) == CONTENT[10:20]
    assert server.connections - before == 2


def test_an_endless_body_is_left_alone(server: FileServer, store: HttpsStore) -> None:
    """Of a body without end no more is taken than was asked for."""
    found = store.stat("file")

    def endless(handler: Handler) -> None:
        said = f"bytes 10-19/{found.size_bytes}"
        headers = {"etag": found.version, "content-range": said, "content-length": None}
        handler.send(206, {**headers, "transfer-encoding": "chunked"})
        while True:
            handler.wfile.write(b"5\r\n01234\r\n")

    server.answers["file"] = endless
    assert code_of(StoreFailed, part, store, found, 10, 10) == "object_overlong"


def test_a_body_that_breaks_off_is_cut_short(server: FileServer, store: HttpsStore) -> None:
    """A Content-Length that promises more than comes gives the bytes that came, then an error."""
    found = store.stat("file")

    def broken(handler: Handler) -> None:
        headers = {"etag": found.version, "content-length": 5000}
        handler.send(200, headers, CONTENT[:3000])
        handler.close_connection = True

    server.answers["file"] = broken
    got: list[bytes] = []
    with pytest.raises(StoreFailed) as refusal:
        got.extend(store.read(found))
    assert (refusal.value.code, b"".join(got)) == ("object_cut_short", CONTENT[:3000])
    assert "2000 bytes" in refusal.value.message


def test_a_server_without_ranges_is_read_whole_or_not(
    server: FileServer, store: HttpsStore
) -> None:
    """A whole file may come as one answer; a part of it may not."""
    found = store.stat("file")
    server.answers["file"] = lambda handler: handler.send(200, {"etag": found.version}, CONTENT)
    assert whole(store, found) == CONTENT
    assert code_of(StoreDenied, part, store, found, 0, 10) == "ranges_unsupported"


def test_a_busy_server_says_when_to_come_back(server: FileServer, store: HttpsStore) -> None:
    """503 with Retry-After is a failure that knows its seconds."""
    server.answers["file"] = lambda handler: handler.send(503, {"retry-after": "7"})
    with pytest.raises(StoreFailed) as refusal:
        store.stat("file")
    assert (refusal.value.code, refusal.value.after_seconds) == ("store_busy", 7.0)


def _text(digest: str) -> str:
    return base64.b64encode(hashlib.new(digest, CONTENT).digest()).decode()


MD5 = ("md5", hashlib.md5(CONTENT).hexdigest())


@pytest.mark.parametrize(
    ("headers", "checksum"),
    [
        ({}, None),
        ({"content-md5": _text("md5")}, MD5),
        ({"repr-digest": f"md5=:{_text('md5')}:"}, MD5),
        (
            {"repr-digest": f"sha-512=:AAAA:, sha-256=:{_text('sha256')}:"},
            ("sha256", hashlib.sha256(CONTENT).hexdigest()),
        ),
        ({"x-goog-hash": f"crc32c=n03x6A==,md5={_text('md5')}"}, ("crc32c", "9f4df1e8")),
        ({"x-goog-hash": f"md5={_text('md5')}"}, MD5),
        ({"x-goog-hash": "crc32c=n03x6A==", "x-goog-stored-content-encoding": "gzip"}, None),
        ({"content-md5": "AAAA"}, None),
        ({"content-md5": "no base64"}, None),
    ],
)
def test_a_checksum_in_the_head_is_taken(
    server: FileServer,
    store: HttpsStore,
    headers: dict[str, str],
    checksum: tuple[str, str] | None,
) -> None:
    """Content-MD5, Repr-Digest (RFC 9530) and x-goog-hash state a checksum of the whole file."""
    server.answers["file"] = lambda handler: handler.send_file(CONTENT, headers)
    assert store.stat("file").checksum == checksum


def test_the_md5_of_a_part_is_not_that_of_the_file(server: FileServer, store: HttpsStore) -> None:
    """Content-MD5 of an answer to a range is of the bytes sent, so it is not taken."""
    md5 = {"content-md5": _text("md5")}
    server.answers["file"] = lambda handler: (
        handler.send(405, {}) if handler.command == "HEAD" else handler.send_file(CONTENT, md5)
    )
    assert store.stat("file").checksum is None
