"""Eight real workers: connections spread over them evenly, and each one is answered."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.service_process import Running, running
from tests.web.altered import alter
from tests.web.served import public_project

WORKERS, CONNECTIONS = 8, 64
EVEN = CONNECTIONS // WORKERS
# Eight workers on two busy cores: who is not run for a while must not lose its share for that.
PATIENT = """
from offloader.web import spread

spread.TAKE_BACK_SECONDS, spread._SILENT_NS = 20.0, 60_000_000_000
"""
LEAST, MOST = 0.7 * EVEN, 1.3 * EVEN
_REQUEST = b"GET /v1/endpoints/open?limit=1 HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run eight workers over a few rows."""
    folder = tmp_path_factory.mktemp("spread")
    public_project(folder / "project")
    with pytest.MonkeyPatch.context() as patched:
        alter(patched, folder, PATIENT)
        yield from _started(folder)


def _started(folder: Path) -> Iterator[Running]:
    with running(folder / "project", folder / "cache", workers=str(WORKERS)) as started:
        started.wait(started.is_complete)
        yield started


def shares(service: Running) -> list[int]:
    """Return how many connections each worker says it has."""
    workers = service.diagnostics()["processes"]["workers"]
    return [int(worker["connections"]) for worker in workers]


@contextmanager
def connected(
    service: Running, count: int, *, in_turn: bool = False
) -> Iterator[list[socket.socket]]:
    """Open connections, at once or each after the answer to the one before; ask on all."""
    callers = [socket.socket() for _ in range(count)]
    try:
        for caller in callers:
            if in_turn:
                caller.settimeout(60)
                caller.connect(service.api)
                ask(caller)
            else:
                caller.setblocking(False)
                with suppress(BlockingIOError):
                    caller.connect(service.api)
        for caller in callers:
            caller.settimeout(60)
            ask(caller)
        yield callers
    finally:
        for caller in callers:
            caller.close()


def ask(caller: socket.socket) -> None:
    """Ask over a kept connection; the answer must come whole."""
    caller.sendall(_REQUEST)
    received = b""
    while b'"meta"' not in received:
        chunk = caller.recv(65536)
        assert chunk, received
        received += chunk
    assert received.startswith(b"HTTP/1.1 200 OK\r\n"), received


def is_even(service: Running) -> bool:
    """Tell whether each worker has its share of 64 connections, 30 % more or less."""
    found = shares(service)
    return sum(found) == CONNECTIONS and min(found) >= LEAST and max(found) <= MOST


@pytest.mark.parametrize("in_turn", [False, True], ids=["at-once", "in-turn"])
def test_connections_spread_evenly(service: Running, in_turn: bool) -> None:
    """However they are opened, each worker has within 30 % of an eighth; all are answered."""
    service.wait(lambda: sum(shares(service)) == 0)
    with connected(service, CONNECTIONS, in_turn=in_turn):
        service.wait(lambda: sum(shares(service)) == CONNECTIONS)
        assert is_even(service), shares(service)


def test_new_connections_go_where_others_were_closed(service: Running) -> None:
    """When half are closed and as many opened anew, the shares are even again."""
    service.wait(lambda: sum(shares(service)) == 0)
    with connected(service, CONNECTIONS) as callers:
        for caller in callers[::2]:
            caller.close()
        service.wait(lambda: sum(shares(service)) == CONNECTIONS // 2)
        with connected(service, CONNECTIONS // 2):
            service.wait(lambda: sum(shares(service)) == CONNECTIONS)
            assert is_even(service), shares(service)
            for caller in callers[1::2]:
                ask(caller)


def test_a_killed_worker_takes_its_own_connections_only(service: Running) -> None:
    """New ones are answered at once while it is away, and spread over it when it is back."""
    service.wait(lambda: sum(shares(service)) == 0)
    killed = service.worker_pids()[3]
    with connected(service, CONNECTIONS) as callers:
        service.wait(lambda: sum(shares(service)) == CONNECTIONS)
        own = shares(service)[3]
        os.kill(killed, signal.SIGKILL)
        with connected(service, CONNECTIONS):
            assert sum(is_open(caller) for caller in callers) == CONNECTIONS - own
        service.wait(lambda: service.worker_pids()[3] not in (0, killed))
    service.wait(lambda: takes_part(service, 3))
    service.wait(lambda: sum(shares(service)) == 0)
    with connected(service, CONNECTIONS):
        service.wait(lambda: sum(shares(service)) == CONNECTIONS)
        assert is_even(service), shares(service)


def is_open(caller: socket.socket) -> bool:
    """Tell whether a connection still answers."""
    try:
        ask(caller)
    except (OSError, AssertionError):
        return False
    return True


def takes_part(service: Running, number: int) -> bool:
    """Tell whether a worker has connections when many are opened."""
    with connected(service, CONNECTIONS):
        service.wait(lambda: sum(shares(service)) == CONNECTIONS)
        return shares(service)[number] > 0


def test_a_connection_of_a_stopped_worker_is_not_waited_for(service: Running) -> None:
    """Workers that hang get nothing more: whoever lives answers, and in good time."""
    service.wait(lambda: sum(shares(service)) == 0)
    with service.alone(0):
        began = time.monotonic()
        with connected(service, 2 * WORKERS, in_turn=True):
            assert time.monotonic() - began < 15.0
            assert shares(service)[0] >= 1
