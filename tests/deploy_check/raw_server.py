"""A server that answers every connection with bytes of its own, however wrong they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket, threading.Event], None]
HANG_SECONDS = 180.0


@dataclass(slots=True, eq=False)
class RawServer:
    """Where it answers, how many connections it had, and whether it is to end."""

    url: str
    end: threading.Event = field(default_factory=threading.Event)
    connections: int = 0


@contextmanager
def raw_server(behaviour: Behaviour) -> Iterator[RawServer]:
    """Give every connection, once a request has come, to `behaviour` until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threads: list[threading.Thread] = []

        def serve() -> None:
            while not server.end.is_set():
                with suppress(OSError):
                    client, _ = listener.accept()
                    thread = threading.Thread(target=_answer, args=(client, behaviour, server))
                    threads.append(thread)
                    thread.start()

        acceptor = threading.Thread(target=serve)
        acceptor.start()
        try:
            yield server
        finally:
            server.end.set()
            with suppress(OSError):
                socket.create_connection(listener.getsockname()).close()
            for thread in (acceptor, *threads):
                thread.join()


def _answer(client: socket.socket, behaviour: Behaviour, server: RawServer) -> None:
    server.connections += 1
    with client, suppress(OSError):
        client.settimeout(5.0)
        client.recv(65536)
        behaviour(client, server.end)


def says(answer: bytes) -> Behaviour:
    """Return a behaviour: these bytes, then the end."""
    return lambda client, _end: client.sendall(answer)


def without_end(head: bytes, piece: bytes) -> Behaviour:
    """Return a behaviour: the head, then one piece after the other for as long as it is read."""

    def behave(client: socket.socket, end: threading.Event) -> None:
        client.sendall(head)
        while not end.is_set():
            client.sendall(piece)

    return behave


def hangs(head: bytes = b"") -> Behaviour:
    """Return a behaviour: the head, and nothing more until the test is over."""

    def behave(client: socket.socket, end: threading.Event) -> None:
        client.sendall(head)
        end.wait(HANG_SECONDS)

    return behave


def drips(head: bytes) -> Behaviour:
    """Return a behaviour: the head, and a byte ten times a second."""

    def behave(client: socket.socket, end: threading.Event) -> None:
        client.sendall(head)
        while not end.wait(0.1):
            client.sendall(b" ")

    return behave
