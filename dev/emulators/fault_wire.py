"""HTTP/1.1 of a fault proxy: read requests, pass them on, send answers and break them."""

from __future__ import annotations

import fcntl
import http.client
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from dev.emulators.fault_rules import Fault, Headers, Kind, kind_of

CHUNK_BYTES = 1 << 16
_ARRIVAL_SECONDS = 2.0
_POLL_SECONDS = 0.001
# What belongs to one connection is not passed on.
_HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was read."""

    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def kind(self) -> Kind:
        """What it is for."""
        return kind_of(self.method, self.target)

    def heard(self) -> bytes:
        """Return the target and every header's value, as a server may repeat them."""
        return "\n".join((self.target, *(value for _, value in self.headers))).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to be sent; `chunks` is its body, which may be read once."""

    status: int
    headers: Headers
    chunks: Iterator[bytes]


def read_request(stream: BinaryIO, client: socket.socket) -> Request | None:
    """Read one request whole, None when the connection ended; raises ValueError for others."""
    line = stream.readline(1 << 16).decode("latin-1").split()
    if not line:
        return None
    method, target, _ = line
    headers: Headers = []
    while (raw := stream.readline(1 << 16).decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = raw.partition(":")
        headers.append((name, value.strip()))
    fields = {name.lower(): value for name, value in headers}
    if fields.get("expect", "").lower() == "100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if fields.get("transfer-encoding", "").lower() == "chunked":
        return Request(method, target, headers, _read_chunks(stream))
    return Request(method, target, headers, _exactly(stream, int(fields.get("content-length", 0))))


def forward(connection: http.client.HTTPConnection, request: Request) -> http.client.HTTPResponse:
    """Send a request as it came, its body in one piece, and return the beginning of the answer."""
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers:
        if name.lower() not in (*_HOP, "content-length"):
            connection.putheader(name, value)
    if request.body or request.method in ("PUT", "POST"):
        connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body or None)
    return connection.getresponse()


def kept_headers(reply: http.client.HTTPResponse) -> Headers:
    """Return the headers of an answer that are not of its connection."""
    return [(name, value) for name, value in reply.getheaders() if name.lower() not in _HOP]


def with_length(headers: Headers, length: int) -> Headers:
    """Return headers with this Content-Length."""
    others = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return [*others, ("Content-Length", str(length))]


def send(answer: Answer, request: Request, fault: Fault, client: socket.socket) -> bool:
    """Send an answer, broken as the fault says; return whether the connection can go on."""
    headers = answer.headers
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    if fault.length_offset and request.method != "HEAD":
        headers = with_length(headers, max(0, length + fault.length_offset))
    client.sendall(head(answer.status, headers))
    if request.method == "HEAD":
        return True
    sent = 0
    cuts = [cut for cut in (fault.reset_after, fault.truncate_after) if cut is not None]
    most = min(cuts, default=length + 1)
    for chunk in answer.chunks:
        if fault.chunk_seconds:
            time.sleep(fault.chunk_seconds)
        chunk = _flipped(chunk, sent, fault.flip_at)[: most - sent]
        client.sendall(chunk)
        sent += len(chunk)
        if sent == most < length:
            if fault.reset_after is not None:
                _await_arrival(client)
                reset(client)
            return False
    return not fault.length_offset


def head(status: int, headers: Headers) -> bytes:
    """Return an answer's head."""
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reset(client: socket.socket) -> None:
    """End a connection with RST."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)
    client.close()


def _await_arrival(client: socket.socket) -> None:
    """Wait until the other side has what was sent: a reset would take it away."""
    end = time.monotonic() + _ARRIVAL_SECONDS
    while time.monotonic() < end:
        (waiting,) = struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, b"\0" * 4))
        if not waiting:
            return
        time.sleep(_POLL_SECONDS)


def _flipped(chunk: bytes, start: int, at: int | None) -> bytes:
    if at is None or not start <= at < start + len(chunk):
        return chunk
    place = at - start
    return chunk[:place] + bytes([chunk[place] ^ 0xFF]) + chunk[place + 1 :]


def _read_chunks(stream: BinaryIO) -> bytes:
    parts = []
    while size := int(stream.readline(1 << 10).partition(b";")[0], 16):
        parts.append(_exactly(stream, size))
        stream.readline(8)
    while stream.readline(1 << 16).strip():  # trailers
        pass
    return b"".join(parts)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    body = stream.read(length)
    if len(body) != length:
        raise ValueError("the request ended too early")
    return body
