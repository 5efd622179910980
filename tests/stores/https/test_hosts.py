"""https:// leads to the host that is named, at the address that was judged, and nowhere else."""

from __future__ import annotations

import pytest

from offloader.stores.access import Access
from offloader.stores.https import HttpsStore
from offloader.stores.https_client import HttpsClient
from offloader.stores.public_address import Host
from offloader.stores.store import (
    StoreDenied,
    StoreFailed,
)
from tests.stores.https.file_server import CONTENT, FileServer, opened
from tests.stores.subject import code_of, part, whole


def test_a_private_address_is_refused_unless_it_is_meant(server: FileServer) -> None:
    """Loopback is asked nothing unless the host, with its port or without, is listed."""
    for allowed in ((), ("localhost:1",), ("127.0.0.1",)):
        store = opened(server, *allowed)
        assert code_of(StoreDenied, store.stat, "file") == "address_private"
    assert server.asked == []
    for listed in ("localhost", f"localhost:{server.port}"):
        assert opened(server, listed).stat("file").size_bytes == 5000


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
        opened(server, "localhost").stat("file")


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
    store = opened(server, f"localhost:{server.port}")
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
    store = opened(server, "localhost", "127.0.0.1")
    assert part(store, store.stat("d/0"), 1000, 7) == CONTENT[1000:1007]
    assert server.asked[-1][2]["range"] == "bytes=1000-1006"
    assert server.asked[-1][2]["host"] == f"127.0.0.1:{server.port}"


NO_HOSTS = ["", ":443", "a b", "ä.example", "h:0", "h:99999", "u@h", "[::1", "a" * 254]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """What stands for the host must be a name or an address, and a port."""
    assert code_of(StoreDenied, HttpsStore.open, host, Access()) == "host_invalid"
