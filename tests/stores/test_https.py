"""Files behind a web server: what is read is what was looked up, and it leads nowhere else."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.stores.access import Access
from offloader.stores.https import HttpsStore
from offloader.stores.https_client import HttpsClient
from offloader.stores.public_address import Host
from offloader.stores.store import (
    ObjectChanged,
    ObjectMissing,
    ObjectStore,
    StoreDenied,
    StoreFailed,
)
from tests.stores.contract import StoreContract
from tests.stores.https_server import FileServer, Handler, file_server
from tests.stores.subject import code_of, part, whole

NAMES = ("localhost", "data.example", "127.0.0.1")
CONTENT = bytes(number % 251 for number in range(5000))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FileServer, Path]]:
    with file_server(tmp_path_factory.mktemp("tls"), NAMES) as made:
        yield made


@pytest.fixture
def server(running: tuple[FileServer, Path], monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Return a server of one file, trusted as one's own CA is: by SSL_CERT_FILE."""
    server, trusted = running
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    server.files, server.answers, server.asked = {"file": CONTENT}, {}, []
    return server


@pytest.fixture
def store(server: FileServer) -> HttpsStore:
    """Return a store that may lie at a private address."""
    return _store(server, "localhost")


def _store(server: FileServer, *allowed: str) -> HttpsStore:
    return HttpsStore.open(f"localhost:{server.port}", Access(https_hosts=allowed))


class Site:
    """A web server that sends ETags."""

    can_list = can_write = False
    odd_keys = ("a b/c d", "plus+plus", "amp&is=1", "ümläut/日本語", "hash#1", "semi;colon,comma")

    def __init__(self, server: FileServer) -> None:
        self.server = server
        self.server.files.clear()
        self.store: ObjectStore = _store(server, "localhost")

    def put(self, key: str, content: bytes) -> None:
        """Make or overwrite a file."""
        self.server.files[key] = content
        self.server.changes += 1

    def delete(self, key: str) -> None:
        """Remove a file."""
        del self.server.files[key]

    def elsewhere(self) -> None:
        """Return nothing: there is no bucket."""


class TestHttps(StoreContract):
    @pytest.fixture
    def subject(self, server: FileServer) -> Site:
        """Return an empty site."""
        return Site(server)


class TestHttpsByDate(StoreContract):
    """The same of a server that has dates only."""

    @pytest.fixture
    def subject(self, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Site:
        """Return an empty site."""
        send_file = Handler.send_file
        monkeypatch.setattr(
            Handler,
            "send_file",
            lambda handler, content: send_file(handler, content, {"etag": 'W/"weak"'}),
        )
        return Site(server)


def test_a_host_is_neither_listed_nor_written(store: HttpsStore) -> None:
    """A web server has no listing, and nothing is ever put there."""
    assert code_of(StoreDenied, store.list, "", most=1) == "listing_unsupported"
    assert code_of(StoreDenied, store.write, "a", None, 0) == "store_read_only"  # type: ignore[arg-type]


def test_a_private_address_is_refused_unless_it_is_meant(server: FileServer) -> None:
    """Loopback is asked nothing unless the host, with its port or without, is listed."""
    for allowed in ((), ("localhost:1",), ("127.0.0.1",)):
        store = _store(server, *allowed)
        assert code_of(StoreDenied, store.stat, "file") == "address_private"
    assert server.asked == []
    for listed in ("localhost", f"localhost:{server.port}"):
        assert _store(server, listed).stat("file").size_bytes == 5000


def test_the_address_that_was_judged_is_the_one_asked(server: FileServer) -> None:
    """A name is resolved once: what it resolves to later does not matter, TLS goes by the name."""
    host = Host("data.example", server.port)
    client = HttpsClient(host, (), (5.0, 5.0), find=lambda *_: ("127.0.0.1",))
    store = HttpsStore(str(host), client)
    assert whole(store, store.stat("file")) == CONTENT
    assert {headers["host"] for _, _, headers in server.asked} == {f"data.example:{server.port}"}


def test_the_next_address_is_tried(server: FileServer) -> None:
    """An address that refuses to connect is passed over; names are resolved again after 30 s."""
    resolved: list[Host] = []
    now = [0.0]

    def find(host: Host, _: object) -> tuple[str, ...]:
        resolved.append(host)
        return ("127.0.0.2", "127.0.0.1")

    host = Host("data.example", server.port)
    client = HttpsClient(host, (), (5.0, 5.0), find=find, clock=lambda: now[0])
    store = HttpsStore(str(host), client)
    for now[0], times in ((0.0, 1), (29.0, 1), (31.0, 2)):
        assert store.stat("file").size_bytes == 5000
        assert resolved == [host] * times


def test_a_certificate_of_another_name_is_refused(server: FileServer) -> None:
    """TLS is verified for the name in the URL, and by the roots that are trusted."""
    host = Host("other.example", server.port)
    client = HttpsClient(host, (), (5.0, 5.0), find=lambda *_: ("127.0.0.1",))
    with pytest.raises(StoreFailed, match="its TLS certificate cannot be verified") as refusal:
        HttpsStore(str(host), client).stat("file")
    assert refusal.value.code == "store_unreachable"
    assert server.asked == []


def test_an_unknown_authority_is_refused(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without SSL_CERT_FILE only the system's roots are trusted."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StoreFailed, match="its TLS certificate cannot be verified"):
        _store(server, "localhost").stat("file")


def test_connections_are_kept(server: FileServer, store: HttpsStore) -> None:
    """Looking up and reading go over one connection, also after a refusal and a redirect."""
    server.answers["other"] = lambda handler: handler.send(302, {"location": "/file"}, b"moved")
    before = server.connections
    for _ in range(3):
        assert whole(store, store.stat("other")) == CONTENT
        assert code_of(ObjectMissing, store.stat, "nothing") == "object_missing"
    assert server.connections - before == 1


def test_nothing_is_sent_along(server: FileServer, store: HttpsStore) -> None:
    """Requests hold no authorization and no cookie, and ask for no content coding."""
    whole(store, store.stat("file"))
    names = [sorted(map(str.lower, headers)) for _, _, headers in server.asked]
    common = ["accept-encoding", "host", "user-agent"]
    assert names == [common, sorted([*common, "if-match", "range"])]
    assert {headers["accept-encoding"] for _, _, headers in server.asked} == {"identity"}


def test_a_query_belongs_to_the_key(server: FileServer, store: HttpsStore) -> None:
    """A key's query is sent as it is, and stands in no error."""
    assert whole(store, store.stat("file?a=%2Fb&sig=s3cret%3D")) == CONTENT
    assert {path for _, path, _ in server.asked} == {"/file?a=%2Fb&sig=s3cret%3D"}
    with pytest.raises(ObjectMissing) as refusal:
        store.stat("other?sig=s3cret")
    assert "s3cret" not in str(refusal.value)
    assert "other does not exist" in refusal.value.message


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_without_head_is_asked_for_a_byte(
    server: FileServer, store: HttpsStore, status: int
) -> None:
    """A signed URL is for GET alone: then the first byte tells the same, also of an empty file."""
    whole_file = store.stat("file")
    for key, content in (("file", CONTENT), ("empty", b"")):
        server.answers[key] = lambda handler, content=content: (  # type: ignore[misc]
            handler.send(status, {}) if handler.command == "HEAD" else handler.send_file(content)
        )
    assert store.stat("file") == whole_file
    assert store.stat("empty").size_bytes == 0
    server.answers["file"] = lambda handler: handler.send(status, {})
    code = {403: "store_denied", 405: "store_refused", 501: "store_busy"}[status]
    with pytest.raises(StoreFailed) as refusal:
        store.stat("file")
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("https://127.0.0.1:{port}/file", "leads to another host"),
        ("https://169.254.169.254/latest/meta-data?s3cret", "leads to another host"),
        ("https://localhost:1/file", "leads to another host"),
        ("//elsewhere.example/file", "leads to another host"),
        ("http://localhost:{port}/file", "does not lead to an https:// URL"),
        ("file:///etc/passwd", "leads to no host"),
        ("https://s3cret@localhost:{port}/file", "leads to no host"),
        ("https://[::1/file", "leads to no host"),
        ("", "does not lead to an https:// URL"),
        ("/again?s3cret", "leads to more than five others"),
    ],
)
def test_redirects_stay_where_they_began(server: FileServer, location: str, why: str) -> None:
    """A redirect is followed to the same host by https:// only, five times at most."""
    there = location.format(port=server.port)
    server.answers["again"] = lambda handler: handler.send(302, {"location": there})
    store = _store(server, f"localhost:{server.port}")
    with pytest.raises(StoreDenied) as refusal:
        store.stat("again?s3cret")
    assert (refusal.value.code, why in refusal.value.message) == ("redirect_refused", True)
    assert "s3cret" not in str(refusal.value)
    assert len(server.asked) == (6 if location.startswith("/again") else 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: FileServer, status: int) -> None:
    """Five redirects are followed, relative ones too, and to a host that is listed."""
    for number in range(4):
        server.answers[f"d/{number}"] = lambda handler, number=number: handler.send(  # type: ignore[misc]
            status, {"location": f"{number + 1}?x=1"}
        )
    there = f"https://127.0.0.1:{server.port}/file"
    server.answers["d/4"] = lambda handler: handler.send(status, {"location": there})
    store = _store(server, "localhost", "127.0.0.1")
    assert part(store, store.stat("d/0"), 1000, 7) == CONTENT[1000:1007]
    assert server.asked[-1][2]["range"] == "bytes=1000-1006"
    assert server.asked[-1][2]["host"] == f"127.0.0.1:{server.port}"


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


@pytest.mark.parametrize("host", ["", ":443", "a b", "ä.example", "h:0", "h:99999", "u@h", "[::1"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """What stands for the host must be a name or an address, and a port."""
    assert code_of(StoreDenied, HttpsStore.open, host, Access()) == "host_invalid"
