"""Run `offloader serve` as a real process: start, ask, wait, stop, and look for leftovers.

Every process of a run carries a mark of its own in its environment, so that what is left of it is
found wherever it was reparented to.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from tests.http_replies import Reply, ask

ADMIN_TOKEN = "test-admin-token"
START_SECONDS = 60.0
STOP_SECONDS = 20.0  # less than the service gives itself: one that hangs is not killed in time
OFFLOADER = str(Path(sys.executable).with_name("offloader"))
_MARK = "TESTED_SERVICE"


@dataclass(slots=True, eq=False)
class Log:
    """Lines out of a pipe. Who reads finds all that was written before, as in a file."""

    pipe: int = -1
    lines: list[dict[str, Any]] = field(default_factory=list)
    is_whole: bool = False
    _begun: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> None:
        """Take what is in the pipe now."""
        with self._lock, suppress(BlockingIOError):
            while not self.is_whole:
                taken = os.read(self.pipe, 65536)
                *lines, self._begun = (self._begun + taken).split(b"\n")
                if not taken:
                    self.is_whole, lines = True, [self._begun] if self._begun else []
                self.lines += [_read_line(line) for line in lines]

    def follow(self) -> None:
        """Read until nobody can write any more, so that the pipe never fills up."""
        readable = select.poll()  # takes any descriptor
        readable.register(self.pipe, select.POLLIN)
        while not self.is_whole:
            readable.poll()
            self.read()
        os.close(self.pipe)


@dataclass(slots=True, eq=False)
class Running:
    """One `offloader serve` and what it has logged."""

    process: subprocess.Popen[bytes]
    mark: str
    log: Log

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log lines written until now, text that is no JSON as `text`."""
        self.log.read()
        return self.log.lines

    @property
    def api_url(self) -> str:
        """Where the API port answers."""
        return f"http://{self._start()['api']}"

    @property
    def admin_url(self) -> str:
        """Where the admin port answers."""
        return f"http://{self._start()['admin']}"

    @property
    def api(self) -> tuple[str, int]:
        """The API port's host and port."""
        return "127.0.0.1", int(self._start()["api"].rpartition(":")[2])

    @property
    def admin(self) -> tuple[str, int]:
        """The admin port's host and port."""
        return "127.0.0.1", int(self._start()["admin"].rpartition(":")[2])

    def ask(
        self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """Send one request to the API port over a connection of its own."""
        return ask(self.api, target, headers, method)

    def ask_admin(
        self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """Send one request to the admin port over a connection of its own."""
        return ask(self.admin, target, headers, method)

    def diagnostics(self) -> Any:
        """Return the document of `/diagnostics`."""
        reply = self.ask_admin("/diagnostics", {"Authorization": f"Bearer {ADMIN_TOKEN}"})
        assert reply.status == 200, reply
        return reply.document

    def is_ready(self) -> bool:
        """Tell whether `/ready` answers 200; fail when the service has ended."""
        return self._is_well("/ready")

    def is_live(self) -> bool:
        """Tell whether `/live` answers 200; fail when the service has ended."""
        return self._is_well("/live")

    def _is_well(self, route: str) -> bool:
        assert self.process.poll() is None, self.lines
        with suppress(OSError, http.client.HTTPException):
            return self.ask_admin(route).status == 200
        return False

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event so far."""
        return [line for line in self.lines if line.get("event") == name]

    def wait(self, condition: Callable[[], object], seconds: float = START_SECONDS) -> float:
        """Poll until a condition holds; return the seconds it took, fail at the deadline."""
        return wait_until(condition, seconds, lambda: self.lines)

    def end(self, number: int = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """Send a signal to main and return its exit code; fail when it does not end in time."""
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)

    @contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """Stop every worker but one, so that this one answers; let them go on afterwards.

        Main is stopped too, and first: its watchdog would kill who does not answer.
        """
        self.wait(self.is_complete)
        others = [pid for index, pid in enumerate(self.worker_pids()) if index != number]
        stopped = [self.process.pid, *others]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            self.wait(lambda: all(map(_is_stopped, stopped)))
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)
        self.wait(self.is_complete)

    def is_complete(self) -> bool:
        """Tell whether every worker serves; `/ready` asks for half of them only."""
        if not self.is_live():  # the ports refuse until a worker listens
            return False
        processes = self.diagnostics()["processes"]
        return bool(processes["workers_attached"] == len(processes["workers"]))

    def worker_pids(self) -> list[int]:
        """Return the pids of the workers, by number."""
        return [int(worker["pid"]) for worker in self.diagnostics()["processes"]["workers"]]

    def pids_of(self, module: str) -> list[int]:
        """Return the pids of this run's processes whose command line names a module."""
        return [pid for pid in marked(self.mark) if module in _command(pid)]

    def leftovers(self) -> list[str]:
        """Return the command line of every process of this run that still lives."""
        return [_command(pid) for pid in marked(self.mark)]

    def _start(self) -> dict[str, Any]:
        return self.events("starting")[0]


@contextmanager
def running(
    project: Path, cache: Path, *, until: str = "ready", under: Sequence[str] = (), **environ: str
) -> Iterator[Running]:
    """Serve a project until the block ends; wait first until it is `started`, `live` or `ready`.

    At the end it gets SIGTERM, unless it has ended, and must leave with 0. Nothing may be left of
    it, whatever happened. Variables are given without their prefix: `workers="1"`. `under` is a
    command that becomes the service after having changed what the process may do.
    """
    service = _start(project, cache, environ, under)
    try:
        service.wait(lambda: service.events("starting") or service.process.poll() is not None)
        conditions = {"live": service.is_live, "ready": service.is_ready}
        if until in conditions:
            service.wait(conditions[until])
        yield service
        if service.process.poll() is None:
            assert service.end() == 0, service.lines
        service.wait(lambda: not service.leftovers(), 10.0)
    finally:
        for pid in marked(service.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        service.process.wait()


def environment(project: Path, cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a run: two workers, kernel's ports, no drain, JSON lines."""
    settings = {
        "config": str(project),
        "cache_dir": str(cache),
        "api_host": "127.0.0.1",
        "admin_host": "127.0.0.1",
        "api_port": "0",
        "admin_port": "0",
        "admin_token": ADMIN_TOKEN,
        "workers": "2",
        "drain_seconds": "0",
        "refresh_interval": "0.1",
        "log_format": "json",
        **environ,
    }
    outer = {name: text for name, text in os.environ.items() if not name.startswith("OFFLOADER_")}
    return {**outer, **{f"OFFLOADER_{name.upper()}": text for name, text in settings.items()}}


def refused(project: Path, cache: Path, **environ: str) -> tuple[int, list[str]]:
    """Run `offloader serve` that must end by itself; return its exit code and its lines."""
    done = subprocess.run(
        [OFFLOADER, "serve"],
        env=environment(project, cache, environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode().splitlines()


def wait_until(condition: Callable[[], object], seconds: float, why: Callable[[], object]) -> float:
    """Poll until a condition holds; return the seconds it took, fail with `why` in the end."""
    pause = threading.Event()
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, why()
        pause.wait(0.02)
    return time.monotonic() - began


def marked(mark: str) -> list[int]:
    """Return the pids of the processes that carry a mark and are not zombies."""
    needle = f"{_MARK}={mark}\0".encode()
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [pid for pid in pids if needle in _read(f"/proc/{pid}/environ")]


def _start(project: Path, cache: Path, environ: Mapping[str, str], under: Sequence[str]) -> Running:
    mark = token_hex(8)
    pipe, stderr = os.pipe()
    try:
        process = subprocess.Popen(
            [*under, OFFLOADER, "serve"],
            env={**environment(project, cache, environ), _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    finally:
        os.close(stderr)
    os.set_blocking(pipe, False)
    log = Log(pipe)
    threading.Thread(target=log.follow, daemon=True).start()
    return Running(process, mark, log)


def _read_line(raw: bytes) -> dict[str, Any]:
    text = raw.decode(errors="replace")
    return json.loads(text) if text.startswith("{") else {"text": text}


def _is_stopped(pid: int) -> bool:
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[:1] == [b"T"]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
