"""A stop cuts no request: new ones are answered through the drain, those begun are finished."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.http_replies import Reply, reply_of
from tests.projects import UsageProject, usage_project
from tests.service_process import Running, running
from tests.web.altered import alter
from tests.web.served import PLAIN, slow_project
from tests.web.test_start_stop import stopped_builder

CALLERS = 12


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=100)


@contextmanager
def kept(address: tuple[str, int]) -> Iterator[Callable[[str, Mapping[str, str]], Reply]]:
    """Open one connection and ask over it; it is an error when that was closed."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.connect()
    connection.auto_open = 0

    def ask(target: str, headers: Mapping[str, str]) -> Reply:
        connection.request("GET", target, headers=dict(headers))
        return reply_of(connection.getresponse())

    try:
        yield ask
    finally:
        connection.close()


def closes(reply: Reply) -> bool:
    """Tell whether the connection ends after this answer."""
    return reply.headers["connection"] == "close"


@contextmanager
def begun(
    address: tuple[str, int], target: str, headers: Mapping[str, str]
) -> Iterator[socket.socket]:
    """Open a connection with a request on it of which only the last line is missing."""
    fields = {"Host": "localhost", **headers}
    head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(head.encode())
        yield client


def finish(*clients: socket.socket) -> list[bytes]:
    """Send each its last line; return all that comes until the server closes."""
    for client in clients:
        client.sendall(b"\r\n")
    return [b"".join(iter(partial(client.recv, 65536), b"")) for client in clients]


def stop_seconds(service: Running) -> float:
    """Return how long the stop took by main's own lines: it is not late because this test is."""
    (begun,), (ended,) = service.events("draining"), service.events("stopped")
    times = [datetime.fromisoformat(str(line["time"])) for line in (begun, ended)]
    return (times[1] - times[0]).total_seconds()


def is_refused(address: tuple[str, int]) -> bool:
    """Tell whether nobody listens."""
    try:
        socket.create_connection(address, timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


# The drain ends when there is a file, so that all that is asked in it is asked in it.
DRAIN_UNTIL = """
import time
from pathlib import Path
from types import SimpleNamespace
from offloader.web import supervisor

def sleep(seconds):
    while seconds == 300 and not Path({path!r}).exists():
        time.sleep(0.01)
    time.sleep(seconds if seconds < 300 else 0)

supervisor.time = SimpleNamespace(sleep=sleep, monotonic=time.monotonic, time=time.time)
"""


def test_no_request_is_cut_by_the_drain(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers that ask without a pause lose their connection, and no answer; both ports go on."""
    key = project.authorization("tenant_0")
    rounds = threading.Semaphore(0)

    ended = tmp_path / "ended"
    alter(monkeypatch, tmp_path, DRAIN_UNTIL.format(path=str(ended)))

    def keep_asking() -> list[Reply]:
        replies: list[Reply] = []
        with kept(service.api) as ask:
            while not replies or not closes(replies[-1]):
                replies.append(ask(PLAIN, key))
                rounds.release()
        return replies

    with (
        running(project.root, tmp_path / "cache", drain_seconds="300") as service,
        ThreadPoolExecutor(CALLERS) as pool,
        kept(service.admin) as ask_admin,
        socket.create_connection(service.api, timeout=15) as idle,
    ):
        service.wait(service.is_complete)
        body = service.ask(PLAIN, key).body
        callers = [pool.submit(keep_asking) for _ in range(CALLERS)]
        for _ in range(20 * CALLERS):
            assert rounds.acquire(timeout=60)
        service.process.send_signal(signal.SIGTERM)
        for caller in callers:
            *others, last = caller.result(timeout=60)
            assert {(reply.status, reply.body) for reply in (*others, last)} == {(200, body)}
            assert closes(last)
            assert not any(map(closes, others))
        late = service.ask(PLAIN, key)
        assert (late.status, late.body, closes(late)) == (200, body, True)
        refused = service.ask(f"{PLAIN}?limit=0", key)
        assert (refused.status, closes(refused)) == (422, True)
        assert service.ask("/healthz").status == 503
        ready = service.ask_admin("/ready")
        reasons = ["the instance is draining"]
        assert (ready.status, ready.document) == (503, {"ready": False, "reasons": reasons})
        service.wait(lambda: closes(ask_admin("/live", {})), 10.0)
        ended.touch()
        assert idle.recv(1) == b""
        assert service.process.wait(timeout=60) == 0
    assert [line for line in service.lines if line.get("level") != "info"] == []


def test_what_was_begun_is_finished_after_the_drain(project: UsageProject, tmp_path: Path) -> None:
    """On both ports, while new callers are refused; also when the whole group is signalled."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", workers="1") as service:
        with begun(service.api, PLAIN, key) as api, begun(service.admin, "/live", {}) as admin:
            body = service.ask(PLAIN, key).body  # so the worker has read what was sent before
            os.killpg(service.process.pid, signal.SIGTERM)
            service.wait(lambda: is_refused(service.api) and is_refused(service.admin), 20.0)
            answers = finish(api, admin)
        assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 2
        assert b"connection: close\r\n" in answers[0].lower()
        bodies = [answer.partition(b"\r\n\r\n")[2] for answer in answers]
        assert bodies == [body, b'{"live": true}\n']
        assert service.process.wait(timeout=60) == 0
    assert service.events("stop_timeout") == []


def test_a_stop_is_in_time_whatever_hangs(tmp_path: Path) -> None:
    """A request that never ends, a worker and a builder that are stopped: exit 0 all the same."""
    project = slow_project(tmp_path / "project")
    limits = {"drain_seconds": "1", "shutdown_seconds": "2"}
    with running(project.root, tmp_path / "cache", until="started", **limits) as service:
        stopped_builder(service)
        service.wait(service.is_complete)
        key = project.authorization("tenant_0")
        with begun(service.api, PLAIN, key), begun(service.admin, "/live", {}):
            os.kill(service.worker_pids()[1], signal.SIGSTOP)
            assert service.end(signal.SIGTERM) == 0
        assert 1.0 <= stop_seconds(service) <= 3.0
    (line,) = service.events("stop_timeout")
    assert "Sanic-Server-1-0" in line["processes"]


def test_no_drain_and_no_shutdown_time_is_an_end_at_once(
    project: UsageProject, tmp_path: Path
) -> None:
    """Both may be 0: then nothing is waited for."""
    key = project.authorization("tenant_0")
    with (
        running(project.root, tmp_path / "cache", workers="1", shutdown_seconds="0") as service,
        begun(service.api, PLAIN, key),
    ):
        service.ask(PLAIN, key)
        assert service.end(signal.SIGTERM, 20.0) == 0
        assert stop_seconds(service) < 3.0


def test_a_stop_while_a_worker_comes_up_cuts_nothing(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker answers already, the other one does not: both finish."""
    gate = tmp_path / "gate"
    late_start = f"""
import time
from pathlib import Path
from offloader.web.worker import Worker

if os.environ.get("SANIC_WORKER_NAME") == "Sanic-Server-1-0":
    attach = Worker.attach

    async def attach_late(worker):
        while not Path({str(gate)!r}).exists():
            time.sleep(0.01)
        await attach(worker)

    Worker.attach = attach_late
"""
    alter(monkeypatch, tmp_path, late_start)
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", until="live") as service:
        with begun(service.api, PLAIN, key) as client:
            assert service.ask(PLAIN, key).status in (200, 503)
            service.process.send_signal(signal.SIGTERM)
            service.wait(lambda: service.events("draining"))
            gate.touch()
            (answer,) = finish(client)
        assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 "))
        assert b"connection: close\r\n" in answer.lower()
        assert service.process.wait(timeout=60) == 0
    assert service.events("stop_timeout") == []
