"""The driver's side of the load generator: start it, tell it what is right, read its figures."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.faults.project import Source, request, snapshot_id, watermark

CONNECTIONS = 64
_REPLY_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[2]
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """The requests of one phase, latencies in milliseconds as their callers saw them."""

    phase: str
    seconds: float
    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What the generator saw since its start; ports are its connections' own.

    `proven` are those that were answered and are there to stay.
    """

    newest: int
    answers: int
    wrong: dict[str, int]
    samples: list[str]
    broken: int
    open: list[int]
    proven: list[int]


@dataclass(slots=True, eq=False)
class LoadProcess:
    """One running generator; `breaks` are the lines on broken connections so far."""

    process: subprocess.Popen[bytes]
    source: Source
    breaks: list[dict[str, Any]] = field(default_factory=list)
    _replies: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue)
    _one_command: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, numbers: Iterable[int]) -> None:
        """Take these snapshots' answers for right from now on."""
        wanted = list(numbers)
        for start in range(0, len(wanted), _BATCH):
            batch = [_expected(self.source, number) for number in wanted[start : start + _BATCH]]
            self._command("expect", snapshots=batch)

    def ask(self) -> None:
        """Open the connections and ask at full rate from now on."""
        self._command("ask")

    def rest(self) -> None:
        """Ask no more, and close the connections as their last answers come."""
        self._command("rest")

    def phase(self, name: str) -> Figures:
        """Begin a phase; return the figures of the one it ends."""
        return Figures(**self._command("phase", name=name))

    def renew(self, every: int) -> None:
        """Replace every so many-th connection by a new one."""
        self._command("renew", every=every)

    def seen(self) -> Seen:
        """Return what was seen so far."""
        return Seen(**self._command("tell"))

    def _command(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        with self._one_command:
            line = json.dumps({"command": command, **arguments}).encode() + b"\n"
            self.process.stdin.write(line)
            self.process.stdin.flush()
            reply = self._replies.get(timeout=_REPLY_SECONDS)
        assert reply is not None, "the load generator ended"
        return reply

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            document = json.loads(line)
            if "how" in document:
                self.breaks.append(document)
            else:
                self._replies.put(document)
        self._replies.put(None)


@contextmanager
def loading(
    address: tuple[str, int], source: Source, connections: int = CONNECTIONS
) -> Iterator[LoadProcess]:
    """Run a generator against both targets of a source while the block runs; it asks on `ask`."""
    host, port = address
    requests = [request(f"{host}:{port}", target).decode() for target in source.targets]
    job = {"host": host, "port": port, "requests": requests, "connections": connections}
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.faults.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    )
    assert process.stdin is not None
    load = LoadProcess(process, source)
    reader = threading.Thread(target=load._read, daemon=True)
    reader.start()
    try:
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        yield load
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdin.close()


def _expected(source: Source, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "snapshot_id": snapshot_id(number),
        "watermark": watermark(number),
        "bodies": [body.decode() for body in source.bodies(number)],
    }
