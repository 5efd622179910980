"""The load generator: many keep-alive connections in one process, each asking without a pause.

    python -m dev.faults.load

It reads JSON lines from stdin, the first being its job, and answers each later one with one JSON
line on stdout. A connection that broke is told at once by a line of its own, `{"broken": …}`.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dev.faults.judge import Judge

STALLED_SECONDS = 15.0
_LOOK_SECONDS = 0.1
_CHUNK_BYTES = 65536
_CONNECT_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Connection:
    """One keep-alive connection; `target` is what it asks for at the moment."""

    socket: socket.socket
    port: int
    target: int
    floor: int = 0
    sent_ns: int = 0
    answers: int = 0
    received: bytes = b""
    is_to_renew: bool = False


@dataclass(slots=True)
class Phase:
    """The latencies of one stretch of time, in nanoseconds."""

    name: str
    began_ns: int
    latencies: array[int] = field(default_factory=lambda: array("q"))

    def summary(self, now_ns: int) -> dict[str, Any]:
        """Return its figures; latencies in milliseconds."""
        ordered = sorted(self.latencies)
        count = len(ordered)

        def quantile(share: float) -> float:
            return ordered[min(count - 1, int(count * share))] / 1e6 if count else 0.0

        return {
            "phase": self.name,
            "seconds": (now_ns - self.began_ns) / 1e9,
            "requests": count,
            "p50_ms": quantile(0.5),
            "p99_ms": quantile(0.99),
            "max_ms": quantile(1.0),
        }


class Load:
    """Asks over `connections` connections until it is told to stop."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._address = (str(job["host"]), int(job["port"]))
        self._requests = [text.encode() for text in job["requests"]]
        self._wanted = int(job["connections"])
        self._judge = Judge()
        self._epoll = select.epoll()
        self._by_descriptor: dict[int, Connection] = {}
        self._phase = Phase("start", time.perf_counter_ns())
        self._broken = 0
        self._is_asking = False
        self._opened = 0
        self._stdin = b""

    def run(self) -> None:
        """Work until the command `stop`, or the end of stdin."""
        self._epoll.register(0, select.EPOLLIN)
        os.set_blocking(0, False)
        looked = time.monotonic()
        while True:
            for descriptor, _ in self._epoll.poll(_LOOK_SECONDS):
                if descriptor == 0:
                    if not self._obey():
                        return
                elif descriptor in self._by_descriptor:
                    self._receive(self._by_descriptor[descriptor])
            now = time.monotonic()
            if now - looked > _LOOK_SECONDS:
                looked = now
                self._look_for_stalled()
                self._fill()

    def _fill(self) -> None:
        """Open the connections that are missing, those that broke included."""
        while self._is_asking and len(self._by_descriptor) < self._wanted:
            try:
                opened = socket.create_connection(self._address, _CONNECT_SECONDS)
            except OSError:
                return  # nobody listens at this moment: the next look tries again
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            target = self._opened % len(self._requests)
            self._opened += 1
            connection = Connection(opened, opened.getsockname()[1], target)
            self._by_descriptor[opened.fileno()] = connection
            self._epoll.register(opened, select.EPOLLIN)
            self._ask(connection)

    def _ask(self, connection: Connection) -> None:
        connection.floor = self._judge.newest
        connection.sent_ns = time.perf_counter_ns()
        try:
            connection.socket.send(self._requests[connection.target])
        except OSError as error:
            self._note_broken(connection, type(error).__name__)

    def _receive(self, connection: Connection) -> None:
        try:
            chunk = connection.socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._note_broken(connection, type(error).__name__)
            return
        if not chunk:
            self._note_broken(connection, "closed")
            return
        received = connection.received + chunk if connection.received else chunk
        if not self._judge.take(received, connection.target, connection.floor):
            connection.received = received
            return
        self._phase.latencies.append(time.perf_counter_ns() - connection.sent_ns)
        connection.received = b""
        connection.answers += 1
        connection.target = (connection.target + 1) % len(self._requests)
        if connection.is_to_renew or not self._is_asking:
            self._close(connection)
            self._fill()
        else:
            self._ask(connection)

    def _note_broken(self, connection: Connection, how: str) -> None:
        self._broken += 1
        _tell({"broken": connection.port, "how": how, "at": time.monotonic()})
        self._close(connection)
        self._fill()

    def _close(self, connection: Connection) -> None:
        del self._by_descriptor[connection.socket.fileno()]
        connection.socket.close()

    def _look_for_stalled(self) -> None:
        oldest_ns = time.perf_counter_ns() - int(STALLED_SECONDS * 1e9)
        for connection in [c for c in self._by_descriptor.values() if c.sent_ns < oldest_ns]:
            self._judge.note("stalled")
            self._note_broken(connection, "stalled")

    def _obey(self) -> bool:
        """Carry out the commands that are there; return False at the end."""
        chunk = os.read(0, 1 << 20)
        *lines, self._stdin = (self._stdin + chunk).split(b"\n")
        return bool(chunk) and all(self._carry_out(json.loads(line)) for line in lines)

    def _carry_out(self, command: dict[str, Any]) -> bool:
        name = command.pop("command")
        if name == "stop":
            _tell({"stopped": True})
            return False
        _tell(getattr(self, f"_on_{name}")(**command))
        return True

    def _on_expect(self, snapshots: list[dict[str, Any]]) -> dict[str, Any]:
        for one in snapshots:
            self._judge.expect(**one)
        return {"expected": len(snapshots)}

    def _on_ask(self) -> dict[str, Any]:
        self._is_asking = True
        self._fill()
        return {"connections": len(self._by_descriptor)}

    def _on_rest(self) -> dict[str, Any]:
        """Ask no more; connections close as their last answers come."""
        self._is_asking = False
        return {}

    def _on_phase(self, name: str) -> dict[str, Any]:
        now_ns = time.perf_counter_ns()
        ended, self._phase = self._phase, Phase(name, now_ns)
        return ended.summary(now_ns)

    def _on_renew(self, every: int) -> dict[str, Any]:
        """Have every so many-th connection replaced by a new one after its next answer."""
        chosen = list(self._by_descriptor.values())[::every]
        for connection in chosen:
            connection.is_to_renew = True
        return {"renewed": len(chosen)}

    def _on_tell(self) -> dict[str, Any]:
        connections = self._by_descriptor.values()
        return {
            "newest": self._judge.newest,
            "answers": self._judge.answers,
            "wrong": dict(self._judge.wrong),
            "samples": self._judge.samples,
            "broken": self._broken,
            "open": [c.port for c in connections],
            "proven": [c.port for c in connections if c.answers and not c.is_to_renew],
        }


def _tell(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Load(json.loads(sys.stdin.buffer.raw.readline())).run()  # type: ignore[union-attr]
