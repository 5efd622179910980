"""An instance as a process of this machine, for where there is no container engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dev.deploy_check.instance import ENDED, LOG_LINES, Failed, ended_by_itself, settings
from dev.deploy_check.project import Project

OFFLOADER = Path(sys.executable).with_name("offloader")
START_SECONDS = 30.0
STOP_SECONDS = 40.0
LOOK_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class Process:
    """`offloader serve` on ports of the kernel's choice."""

    process: subprocess.Popen[bytes]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Where its API port answers."""
        return f"http://{self.addresses['api']}"

    @property
    def admin_url(self) -> str:
        """Where its admin port answers."""
        return f"http://{self.addresses['admin']}"

    def ended(self) -> int | None:
        """Return the exit code when it has ended, else None."""
        return self.process.poll()

    def log(self) -> list[str]:
        """Return the last lines that it wrote."""
        return list(self.lines)

    def stop(self) -> int:
        """Stop it as an operator does and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)

    def read_log(self) -> None:
        """Keep what it writes, until it ends."""
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            text = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(text)
            if not self.addresses:
                self.addresses.update(_addresses(text))


@contextmanager
def process(project: Project, cache: Path, environ: Mapping[str, str]) -> Iterator[Process]:
    """Serve a project until the block ends; `environ` is what the process has beside its settings.

    Raises Failed (71) when it ends before it says where it listens.
    """
    started = Process(
        subprocess.Popen(
            [OFFLOADER, "serve"],
            env=_environment(project, cache, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    )
    reader = threading.Thread(target=started.read_log, daemon=True)
    reader.start()
    try:
        _await_addresses(started, reader)
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


def _environment(project: Project, cache: Path, environ: Mapping[str, str]) -> dict[str, str]:
    outer = {name: text for name, text in environ.items() if not name.startswith("OFFLOADER_")}
    own = settings(str(project.root), str(project.admin_token))
    for port in ("API", "ADMIN"):
        own |= {f"OFFLOADER_{port}_HOST": "127.0.0.1", f"OFFLOADER_{port}_PORT": "0"}
    return {**outer, **own, "OFFLOADER_CACHE_DIR": str(cache)}


def _await_addresses(started: Process, reader: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not started.addresses:
        exit_code = started.ended()
        if exit_code is not None:
            reader.join(START_SECONDS)
            raise ended_by_itself(started, exit_code)
        if time.monotonic() > deadline:
            raise Failed(ENDED, "the instance does not say where it listens")
        time.sleep(LOOK_SECONDS)


def _addresses(line: str) -> dict[str, str]:
    with suppress(ValueError):
        told = json.loads(line)
        if told.get("event") == "starting":
            return {"api": told["api"], "admin": told["admin"]}
    return {}
