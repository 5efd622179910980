"""Measure how evenly connections spread over workers: plain accepting, and handing on.

The first three ways are the same small server, so that what handing on costs shows; the last is
the service. A share is the number of open connections of the worker with the fewest and of the one
with the most.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

import uvloop

from dev.bench.rounds import middle
from dev.bench.usage_service import running, wait_for, write_project
from offloader.shared.mailbox import Mailbox, make_mailboxes
from offloader.shared.slots import Head, Slots
from offloader.web.spread import Spread

SHARED, REUSEPORT, HANDED_ON = "one shared socket", "SO_REUSEPORT", "handed on"
SERVICE = "the service"
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
_BEAT_SECONDS = 0.2
_DEADLINE_SECONDS = 60.0

Look = Callable[[], list[int]]
Share = tuple[int, int]


class Counted(asyncio.Protocol):
    """A connection that is counted, and answered without looking at what was asked."""

    def __init__(self, spread: Spread, open_: set[Counted], *, is_adopted: bool = False) -> None:
        self._spread, self._open, self._is_adopted = spread, open_, is_adopted
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Count it here, or hand it on."""
        if self._is_adopted:
            self._spread.arrive()
        elif self._spread.hands_on(transport):
            transport.abort()
            return
        self._transport = transport
        self._open.add(self)
        self._spread.note()

    def data_received(self, _data: bytes) -> None:
        """Answer."""
        self._transport.write(_REPLY)

    def connection_lost(self, _error: Exception | None) -> None:
        """Count it no more."""
        self._open.discard(self)
        self._spread.note()


def work(number: int, port: socket.socket, memory: Any, mailboxes: tuple[Mailbox, ...]) -> None:
    """Be one worker of the small server."""
    slots = Slots.attach(memory.detach(), max(number + 1, len(mailboxes), 1))
    uvloop.run(_serve(number, port, slots, mailboxes))


async def _serve(
    number: int, port: socket.socket, slots: Slots, mailboxes: tuple[Mailbox, ...]
) -> None:
    spread, open_, head = Spread(number, slots, mailboxes, bool), set[Counted](), slots.head(number)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Counted(spread, open_), sock=port)
    spread.start(lambda: Counted(spread, open_, is_adopted=True), open_)
    head[Head.PID] = os.getpid()
    while True:
        head[Head.HEARTBEAT_NS] = time.monotonic_ns()
        await asyncio.sleep(_BEAT_SECONDS)


@contextmanager
def small_server(way: str, workers: int) -> Iterator[tuple[tuple[str, int], Look]]:
    """Run the small server; give its address and what tells its workers' connections."""
    slots, mailboxes = Slots(workers), make_mailboxes(workers if way == HANDED_ON else 0)
    first = _bound(None, is_reused=way == REUSEPORT)
    address = first.getsockname()
    ports = [first] * workers
    if way == REUSEPORT:
        ports = [first, *(_bound(address, is_reused=True) for _ in range(workers - 1))]
    context = get_context("spawn")
    processes = []
    for number, port in enumerate(ports):
        memory = _Descriptor(slots.descriptor)
        processes.append(context.Process(target=work, args=(number, port, memory, mailboxes)))
        processes[-1].start()
    heads = [slots.head(number) for number in range(workers)]
    try:
        for port in set(ports):
            port.close()  # what nobody accepts from must not be chosen for a connection
        wait_for(lambda: all(head[Head.HEARTBEAT_NS] for head in heads), _DEADLINE_SECONDS)
        yield address, lambda: [head[Head.CONNECTIONS] for head in heads]
    finally:
        for process in processes:
            process.kill()
            process.join()
        for mailbox in mailboxes:
            mailbox.close()
        slots.close()


class _Descriptor:
    """A descriptor that a process which is being spawned gets a copy of."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _same, (DupFd(self._descriptor),)


def _same(duplicate: Any) -> Any:
    return duplicate


def _bound(address: tuple[str, int] | None, *, is_reused: bool) -> socket.socket:
    bound = socket.socket()
    if is_reused:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address or ("127.0.0.1", 0))
    bound.listen(1024)
    return bound


def measure(address: tuple[str, int], look: Look, count: int) -> dict[str, Any]:
    """Open connections in three manners; return the share of each, and times to a first answer."""
    wait_for(lambda: sum(look()) == 0)
    callers, seconds = [], []
    for _ in range(count):
        began = time.perf_counter()
        callers.append(socket.create_connection(address))
        _ask(callers[-1])
        seconds.append(time.perf_counter() - began)
    shares = {"one by one": _share(look, count), "first answer, µs": middle(seconds) * 1e6}
    _close(callers, look)
    callers = _open(address, count)
    shares["at once"] = _share(look, count)
    kept, gone = callers[::2], callers[1::2]
    for caller in gone:
        caller.close()
    wait_for(lambda: sum(look()) == len(kept))
    kept += _open(address, len(gone))
    shares["half anew"] = _share(look, count)
    _close(kept, look)
    return shares


def _open(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connect as fast as can be, then ask on each connection."""
    callers = [socket.socket() for _ in range(count)]
    for caller in callers:
        caller.setblocking(False)
        with suppress(BlockingIOError):
            caller.connect(address)
    for caller in callers:
        caller.settimeout(_DEADLINE_SECONDS)
        _ask(caller)
    return callers


def _ask(caller: socket.socket) -> None:
    caller.sendall(_REQUEST)
    if not caller.recv(65536).startswith(b"HTTP/1.1 200"):
        raise OSError("a connection was not answered: see the service's log")


def _close(callers: list[socket.socket], look: Look) -> None:
    for caller in callers:
        caller.close()
    wait_for(lambda: sum(look()) == 0)


def _share(look: Look, count: int) -> Share:
    wait_for(lambda: sum(look()) == count)
    found = look()
    return min(found), max(found)


@contextmanager
def service(workers: int) -> Iterator[tuple[tuple[str, int], Look]]:
    """Run the service over a few rows; give its API's address and what tells its connections."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with running(write_project(root / "project", 1000), root / "cache", workers) as started:
            started.worker_pids()
            host, _, port = started.api.rpartition(":")

            def look() -> list[int]:
                told = started.diagnostics()["processes"]["workers"]
                return [worker["connections"] for worker in told]

            yield ("127.0.0.1" if host == "0.0.0.0" else host, int(port)), look


def main() -> int:
    """Print each way's shares, the worst of all rounds, and its median time to a first answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    even = args.connections / args.workers
    print(f"{args.connections} connections, {args.workers} workers: even is {even:g} each")
    print(f"  {'':18} {'one by one':>12} {'at once':>12} {'half anew':>12} {'first answer':>14}")
    for way in (SHARED, REUSEPORT, HANDED_ON, SERVICE):
        server = service(args.workers) if way == SERVICE else small_server(way, args.workers)
        with server as (address, look):
            found = [measure(address, look, args.connections) for _ in range(args.rounds)]
        cells = []
        for manner in ("one by one", "at once", "half anew"):
            least = min(one[manner][0] for one in found)
            most = max(one[manner][1] for one in found)
            cells.append(f"{f'{least} to {most}':>12}")
        micros = middle([one["first answer, µs"] for one in found])
        print(f"  {way:18} {' '.join(cells)} {micros:11.0f} µs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
