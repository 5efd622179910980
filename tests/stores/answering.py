"""A server that answers each request with the bytes a test wants, or with none."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

RESET = b"\0reset"
HANG = b"\0hang"
_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its line, and its headers by lower-case name."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass
class Answering:
    """A server; `answer` turns a request into what is sent before the connection is closed.

    An answer that ends with RESET resets the connection there, one with HANG stays silent.
    """

    url: str
    answer: Callable[[Asked], bytes] = lambda _: b""
    asked: list[Asked] = field(default_factory=list)


def answer_of(
    status: int, body: bytes = b"", /, length: int | None = None, **headers: str
) -> bytes:
    """Return the bytes of an answer; `length` is what it claims of its body."""
    length = len(body) if length is None else length
    fields = {"content_length": str(length), "connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"
    return "\r\n".join([f"HTTP/1.1 {status} {phrase}", *lines, "", ""]).encode() + body


@contextmanager
def answering(context: ssl.SSLContext | None = None) -> Iterator[Answering]:
    """Run a server on loopback until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if context else "http"
        server = Answering(f"{scheme}://localhost:{listener.getsockname()[1]}")
        over = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, server, context, over))
        thread.start()
        try:
            yield server
        finally:
            over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _serve(
    listener: socket.socket,
    server: Answering,
    context: ssl.SSLContext | None,
    over: threading.Event,
) -> None:
    threads = []
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        thread = threading.Thread(target=_answer, args=(connection, server, context, over))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(10)


def _answer(
    connection: socket.socket,
    server: Answering,
    context: ssl.SSLContext | None,
    over: threading.Event,
) -> None:
    with suppress(OSError), connection:
        connection.settimeout(10)
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        asked = _read(connection)
        server.asked.append(asked)
        said = server.answer(asked)
        connection.sendall(said.removesuffix(RESET).removesuffix(HANG))
        if said.endswith(HANG):
            over.wait(10)
        if said.endswith(RESET):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)


def _read(connection: socket.socket) -> Asked:
    """Read a request, and its body to the end."""
    with connection.makefile("rb") as opened:
        method, target, _ = opened.readline().decode().split(" ")
        headers = {}
        while line := opened.readline().strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect") == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        opened.read(int(headers.get("content-length", "0")))
    return Asked(method, target, headers)
