"""A proxy before a store's emulator that breaks what it is told to, and counts what it hears.

It passes HTTP/1.1 on as it comes (Host too, which a signature covers), one thread for each
connection. Links of the emulator to itself become links to the proxy.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dev.emulators.fault_rules import (
    NONE,
    Fault,
    Headers,
    Kind,
    refusal,
    shifted_body,
    shifted_headers,
)
from dev.emulators.fault_wire import (
    CHUNK_BYTES,
    Answer,
    Request,
    forward,
    head,
    kept_headers,
    read_request,
    reset,
    send,
    with_length,
)

_IDLE_SECONDS = 60.0
_MAX_TOLD = 256


@dataclass(slots=True, eq=False)
class FaultProxy:
    """A running proxy; `seen` counts requests by kind, `targets` has them in order.

    `hit` counts those to which a fault was applied, `heard` is the last one's target and header
    values.
    """

    upstream: tuple[str, int]
    address: tuple[str, int]
    tls: ssl.SSLContext | None = None
    seen: Counter[Kind] = field(default_factory=Counter)
    targets: list[str] = field(default_factory=list)
    hit: int = 0
    heard: bytes = b""
    _fault: Fault = NONE
    _left: int | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ends: list[socket.socket] = field(default_factory=list)
    _told: dict[tuple[str, str], tuple[int, Headers, bytes]] = field(default_factory=dict)
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """What a client is given instead of the emulator's own."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.address[0]}:{self.address[1]}"

    @property
    def total(self) -> int:
        """The requests that were heard."""
        return sum(self.seen.values())

    def forget(self) -> None:
        """Count from nothing again."""
        with self._lock:
            self.seen.clear()
            self.targets.clear()
            self.hit = 0

    @contextmanager
    def during(self, fault: Fault) -> Iterator[None]:
        """Break what it says while the block runs; then everything is well again."""
        self.set(fault)
        try:
            yield
        finally:
            self.set(NONE)

    def set(self, fault: Fault) -> None:
        """Break what it says from now on; who hangs because of the fault before is cut off."""
        with self._lock:
            self._ended.set()
            self._ended = threading.Event()
            self._fault, self._left = fault, fault.times
        if fault.refuse:
            self._deafen()
        elif self._listener is None:
            self._listen()

    def _listen(self) -> None:
        self._listener = _bound(self.address)
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _deafen(self) -> None:
        """Refuse connections, and reset those there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):  # close alone would not wake who accepts
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            reset(end)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=(client,), daemon=True).start()

    def _greet(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self.tls is None:
                self._converse(client)
            else:
                with self.tls.wrap_socket(client, server_side=True) as wrapped:
                    self._converse(wrapped)

    def _converse(self, client: socket.socket) -> None:
        client.settimeout(_IDLE_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._ends.append(client)
        with suppress(OSError, ValueError, http.client.HTTPException):
            stream = client.makefile("rb")
            while (request := read_request(stream, client)) is not None:
                if not self._answer(request, client):
                    break
            stream.close()
        with self._lock:
            self._ends.remove(client)

    def _answer(self, request: Request, client: socket.socket) -> bool:
        """Answer one request; return whether the connection can go on."""
        fault, ended = self._hear(request)
        if fault.refuse:  # it came just before the connection was reset
            return False
        if fault.hang:
            ended.wait(_IDLE_SECONDS)
            return False
        if fault.latency_seconds:
            ended.wait(fault.latency_seconds)
        if fault.status:
            headers, body = refusal(fault, request.method, request.heard())
            client.sendall(head(fault.status, headers) + body)
            return True
        with self._asked(request, fault) as answer:
            if fault.drop:
                reset(client)
                return False
            return send(answer, request, fault, client)

    def _hear(self, request: Request) -> tuple[Fault, threading.Event]:
        with self._lock:
            self.seen[request.kind] += 1
            self.targets.append(f"{request.method} {request.target}")
            self.heard = request.heard()
            if self._left == 0 or not self._fault.is_for(request.kind, request.target):
                return NONE, self._ended
            if self._left is not None:
                self._left -= 1
            self.hit += self._fault is not NONE
            return self._fault, self._ended

    @contextmanager
    def _asked(self, request: Request, fault: Fault) -> Iterator[Answer]:
        """Ask the emulator; what is no object's content comes whole, so that it can be changed."""
        old = self._told.get((request.method, request.target))
        if fault.stale and old is not None:
            yield Answer(old[0], old[1], iter([old[2]]))
            return
        connection = http.client.HTTPConnection(*self.upstream, timeout=_IDLE_SECONDS)
        try:
            reply = forward(connection, request)
            headers = shifted_headers(kept_headers(reply), fault.clock_seconds)
            if request.kind == "read" and reply.length is not None:
                yield Answer(reply.status, headers, iter(lambda: reply.read(CHUNK_BYTES), b""))
            else:
                yield self._described(request, fault, reply.status, headers, reply.read())
        finally:
            connection.close()

    def _described(
        self, request: Request, fault: Fault, status: int, headers: Headers, body: bytes
    ) -> Answer:
        ours, theirs = self.url, "http://{}:{}".format(*self.upstream)
        headers = [(name, value.replace(theirs, ours)) for name, value in headers]
        body = shifted_body(body.replace(theirs.encode(), ours.encode()), fault.clock_seconds)
        if request.method != "HEAD":
            headers = with_length(headers, len(body))
        key = (request.method, request.target)
        if status == 200 and (key in self._told or len(self._told) < _MAX_TOLD):
            self._told[key] = (status, headers, body)
        return Answer(status, headers, iter([body]))


@contextmanager
def fault_proxy(upstream_url: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """Run a proxy before the emulator at a URL until the block ends, an https one with `tls`."""
    host, _, port = upstream_url.removeprefix("http://").rstrip("/").rpartition(":")
    # It keeps the port while nobody listens: connections are refused, and nobody else gets it.
    with _bound(("127.0.0.1", 0)) as reserved:
        proxy = FaultProxy((host, int(port)), reserved.getsockname(), tls)
        proxy.set(NONE)
        try:
            yield proxy
        finally:
            proxy.set(Fault(refuse=True))


def _bound(address: tuple[str, int]) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound
