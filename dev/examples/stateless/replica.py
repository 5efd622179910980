"""A replica: `offloader serve` with nothing but environment variables, and what it logs."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OFFLOADER = Path(sys.executable).with_name("offloader")
LOOK_SECONDS = 0.02
START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    snapshot_id: str
    etag: str
    row: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class Replica:
    """A running service; `built` and `fetched` are snapshots it built, or had from the store."""

    name: str
    process: subprocess.Popen[bytes]
    built: set[str] = field(default_factory=set)
    fetched: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    has_shared: threading.Event = field(default_factory=threading.Event)

    @property
    def api(self) -> str:
        """The address of its API port."""
        return self.addresses["api"]

    def wait_until_ready(self) -> float:
        """Return after how many seconds `/ready` said so; raise RuntimeError if it never does."""
        began = time.monotonic()
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > began + START_SECONDS:
                raise RuntimeError("\n".join([f"{self.name} is not ready", *self.complaints]))
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def ask(self, target: str) -> Answer | None:
        """Ask the API; None when nothing came."""
        with suppress(OSError, http.client.HTTPException):
            status, headers, body = _get(self.api, target)
            if status == 200:
                document = json.loads(body)
                row = document["data"][0]
                return Answer(document["meta"]["snapshot_id"], headers["ETag"] or "", row)
        return None

    def origin_of(self, snapshot_id: str) -> str:
        """Say where it has a snapshot's segment from."""
        if snapshot_id in self.built:
            return "built"
        return "fetched" if snapshot_id in self.fetched else "cache"

    def _is_ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException, KeyError):
            return _get(self.addresses["admin"], "/ready")[0] == 200
        return False

    def read_log(self) -> None:
        """Take note of what it logs, until it ends."""
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self._note(line.decode(errors="replace").rstrip())

    def _note(self, line: str) -> None:
        event = json.loads(line) if line.startswith("{") else {"level": "error"}
        match event.get("event"):
            case "starting":
                self.addresses = {port: event[port] for port in ("api", "admin")}
            case "build_started":
                self.built.add(event["snapshot"])
            case "segments_fetched":
                self.fetched.add(event["snapshot"])
            case "segments_shared":
                self.has_shared.set()
        if event.get("level") in ("warning", "error"):
            self.complaints.append(line)


@contextmanager
def replica(name: str, environ: Mapping[str, str]) -> Iterator[Replica]:
    """Run a replica until the block ends; variables of this shell's do not reach it."""
    outer = {key: text for key, text in os.environ.items() if not key.startswith("OFFLOADER_")}
    process = subprocess.Popen(
        [OFFLOADER, "serve"],
        env={**outer, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the example, which stops it
    )
    running = Replica(name, process)
    threading.Thread(target=running.read_log, daemon=True).start()
    try:
        yield running
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _get(address: str, target: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", target)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()
