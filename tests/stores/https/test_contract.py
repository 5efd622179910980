"""Files behind a web server keep the contract of stores, but for lists and writes."""

from __future__ import annotations

import pytest

from offloader.stores.https import HttpsStore
from offloader.stores.store import (
    ObjectMissing,
    ObjectStore,
    StoreDenied,
    StoreFailed,
)
from tests.stores.contract import StoreContract
from tests.stores.https.file_server import CONTENT, FileServer, Handler, opened
from tests.stores.subject import code_of, whole


class Site:
    """A web server that sends ETags."""

    can_list = can_write = False
    odd_keys = ("a b/c d", "plus+plus", "amp&is=1", "ümläut/日本語", "hash#1", "semi;colon,comma")

    def __init__(self, server: FileServer) -> None:
        self.server = server
        self.server.files.clear()
        self.store: ObjectStore = opened(server, "localhost")

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
