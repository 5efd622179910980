"""Probes that have arrived with their connection: the same answers as Sanic's, and no others."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.web.probes import answer_to
from tests.projects import usage_project
from tests.service_process import running
from tests.web.admin_app import AdminApp, admin_app

CLOSE = b"Connection: close"
LENGTH = b"Content-Length: 0"  # whoever says that is left to Sanic


def head(target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    """Return one request."""
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, target), b"Host: h", *fields, b"", b""])


@pytest.fixture
def app() -> Iterator[AdminApp]:
    with admin_app() as running:
        yield running


def ask(app: AdminApp, request: bytes) -> bytes:
    """Send a request over a connection of its own; return all that comes until it is closed."""
    with socket.create_connection(app.address, 10) as connection:
        connection.sendall(request)
        return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return all that comes, without a field that Sanic sends only where it is not touched up."""
    return b"".join(iter(lambda: connection.recv(65536), b"")).replace(b"alt-svc: \r\n", b"")


@pytest.mark.parametrize("is_ready", [True, False])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("target", [b"/live", b"/ready"])
def test_the_answer_is_as_sanics(
    app: AdminApp, target: bytes, method: bytes, is_ready: bool
) -> None:
    """Byte for byte, ready or not, over the wire too."""
    for worker in range(2 if is_ready else 0):
        app.made.beat(worker, seconds_ago=-60)  # however long this takes, it is alive
    sanics = ask(app, head(target, CLOSE, LENGTH, method=method))
    status = b"200 OK" if is_ready or target == b"/live" else b"503 Service Unavailable"
    assert sanics.startswith(b"HTTP/1.1 " + status)
    probe = head(target, CLOSE, method=method)
    assert answer_to(app.worker, probe) == sanics  # type: ignore[arg-type]
    assert ask(app, probe) == sanics


TAKEN = {
    "as an orchestrator sends it": head(b"/live", b"User-Agent: kube-probe/1.30", CLOSE),
    "other letters": head(b"/ready", b"connection:Close "),
    "HTTP/1.0": b"GET /live HTTP/1.0\r\nConnection: close\r\n\r\n",
}
LEFT = {
    "nothing": b"",
    "kept alive": head(b"/live"),
    "half a request": head(b"/live", CLOSE)[:-1],
    "two requests": head(b"/live", CLOSE) * 2,
    "a body": head(b"/live", CLOSE, LENGTH),
    "chunks": head(b"/live", CLOSE, b"Transfer-Encoding: chunked"),
    "an expectation": head(b"/live", CLOSE, b"Expect: 100-continue"),
    "close and more": head(b"/live", b"Connection: close, upgrade"),
    "a field that is none": head(b"/live", b"no colon", CLOSE),
    "a folded field": head(b"/live", b"Cookie: a", b" b", CLOSE),
    "bare line ends": head(b"/live", CLOSE).replace(b"\r\n", b"\n"),
    "another method": head(b"/live", CLOSE, method=b"POST"),
    "another path": head(b"/status", CLOSE),
    "a query": head(b"/live?x=1", CLOSE),
    "a slash more": head(b"/live/", CLOSE),
    "another version": head(b"/live", CLOSE).replace(b"1.1", b"2.0"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken(app: AdminApp, name: str) -> None:
    """One whole request, without a body, that wants its connection closed."""
    assert answer_to(app.worker, TAKEN[name]) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left(app: AdminApp, name: str) -> None:
    """Everything else, for Sanic to judge."""
    assert answer_to(app.worker, LEFT[name]) is None  # type: ignore[arg-type]


def test_a_probe_in_pieces_is_answered_all_the_same(app: AdminApp) -> None:
    """What was looked at and left is not lost."""
    request = head(b"/live", CLOSE)
    whole = ask(app, request)
    with socket.create_connection(app.address, 10) as connection:
        for piece in (request[:7], request[7:20], request[20:]):
            connection.sendall(piece)
        assert received(connection) == whole


def test_a_caller_that_says_nothing_harms_nobody(app: AdminApp) -> None:
    """It is waited for, as everybody."""
    with socket.create_connection(app.address, 10), socket.create_connection(app.address, 10):
        assert ask(app, head(b"/live", CLOSE)).endswith(b'{"live": true}\n')


def test_a_real_service_answers_probes_while_it_stops(tmp_path: Path) -> None:
    """In the drain the process lives and is not ready, on both ways to answer alike."""
    project = usage_project(tmp_path / "project", rows=10)
    with running(project.root, tmp_path / "cache", drain_seconds="60") as service:
        service.wait(service.is_complete)
        service.process.send_signal(signal.SIGTERM)
        service.wait(lambda: service.events("draining"))
        for fields in ((CLOSE,), (CLOSE, LENGTH)):
            with socket.create_connection(service.admin, 10) as connection:
                connection.sendall(head(b"/ready", *fields))
                status, _, rest = received(connection).partition(b"\r\n")
            assert status == b"HTTP/1.1 503 Service Unavailable"
            assert rest.endswith(b'{"ready": false, "reasons": ["the instance is draining"]}\n')
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
