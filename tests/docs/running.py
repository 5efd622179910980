"""Run a README command as a user does, and ask the service that it starts."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.docs.markdown import ROOT

READY_SECONDS = 120.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; header names are found in any case."""

    status: int
    headers: Message
    body: bytes

    def document(self) -> Any:
        """Return the body's JSON, decimals exact."""
        return json.loads(self.body, parse_float=Decimal)


@dataclass(frozen=True, slots=True)
class Running:
    """A `make run` under way, with its two ports and its output so far."""

    process: subprocess.Popen[bytes]
    api_port: int
    admin_port: int
    output_path: Path

    @property
    def output(self) -> str:
        """Everything it has printed until now."""
        return self.output_path.read_text(encoding="utf-8", errors="replace")

    def here(self, url: str) -> str:
        """Return a documented URL with the ports of this run."""
        ports = {":4000/": f":{self.api_port}/", ":4001/": f":{self.admin_port}/"}
        for shown, real in ports.items():
            url = url.replace(shown, real)
        return url

    def is_ready(self) -> bool:
        """Tell whether /ready answers 200; fail when the run has ended."""
        assert self.process.poll() is None, self.output
        with suppress(URLError, ConnectionError, TimeoutError):
            return ask(self.here("http://127.0.0.1:4001/ready")).status == 200
        return False

    def interrupt(self) -> float:
        """Press Ctrl-C; return the seconds until everything has ended."""
        started = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=4 * STOP_SECONDS)
        wait_until(lambda: not self.left_running(), STOP_SECONDS, lambda: str(self.left_running()))
        return time.monotonic() - started

    def left_running(self) -> list[str]:
        """Return the ids of this run's processes that are still there."""
        found = Path("/proc").glob("[0-9]*")
        return [path.name for path in found if _session(path) == self.process.pid]


@contextmanager
def make_run(folder: Path, *arguments: str) -> Iterator[Running]:
    """Run `make run` with its cache in `folder`, wait until it is ready, kill what is left."""
    api_port, admin_port = free_ports()
    output_path = folder / "output.txt"
    ports = (f"API_PORT={api_port}", f"ADMIN_PORT={admin_port}")
    with output_path.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", *ports, f"CACHE_DIR={folder / 'cache'}", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, api_port, admin_port, output_path)
    try:
        wait_until(running.is_ready, READY_SECONDS, lambda: running.output)
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    """Poll a condition until it holds; fail with `why` at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        pause.wait(0.05)


def ask(url: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Send one GET request and return whatever the answer is."""
    try:
        with urlopen(Request(url, headers=dict(headers or {})), timeout=10) as reply:
            return Reply(reply.status, reply.headers, reply.read())
    except HTTPError as error:
        return Reply(error.code, error.headers, error.read())


def free_ports() -> tuple[int, int]:
    """Return two ports that are free, and that the kernel gives to nobody meanwhile."""
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    below = iter(random.SystemRandom().sample(range(given // 2, given), 100))
    first, second, *_ = (port for port in below if _is_free(port))
    return first, second


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def is_open(port: int) -> bool:
    """Tell whether something accepts connections on a loopback port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _session(process: Path) -> int:
    """Return the session id of a process (proc(5)); 0 when it has ended."""
    try:
        state, _, _, session = (process / "stat").read_text().rpartition(") ")[2].split()[:4]
    except OSError:
        return 0
    return 0 if state == "Z" else int(session)
