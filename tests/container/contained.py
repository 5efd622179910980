"""Run the image as a real container: start, ask, kill, start again, and remove it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.container.engine import Engine
from tests.http_replies import Reply, ask
from tests.service_process import ADMIN_TOKEN, wait_until

# What a careful operator allows: nothing that the service does not need.
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
STATE_FOLDER = "/var/lib/offloader"
START_SECONDS = 30.0
KILLED_EXIT = 137


@dataclass(slots=True, eq=False)
class Contained:
    """One container of the image; its ports change with each start."""

    engine: Engine
    name: str
    ports: dict[int, tuple[str, int]] = field(default_factory=dict)
    lines_before: int = 0

    def ask(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request to the API port over a connection of its own."""
        return ask(self._address(4000), target, headers)

    def ask_admin(self, target: str, method: str = "GET") -> Reply:
        """Send one request with the admin token to the admin port."""
        token = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return ask(self._address(4001), target, token, method)

    def diagnostics(self) -> Any:
        """Return the document of `/diagnostics`."""
        reply = self.ask_admin("/diagnostics")
        assert reply.status == 200, reply
        return reply.document

    def is_ready(self) -> bool:
        """Tell whether `/ready` answers 200; fail when the container has ended."""
        with suppress(OSError, http.client.HTTPException):
            return self.ask_admin("/ready").status == 200
        assert self.state()["Running"], self.lines()
        return False

    def wait(self, condition: Callable[[], object], seconds: float = START_SECONDS) -> float:
        """Poll until a condition holds; return the seconds it took, fail at the deadline."""
        return wait_until(condition, seconds, self.lines)

    def state(self) -> Any:
        """Return what the engine says of the container: `Running`, `ExitCode`, `OOMKilled`."""
        return json.loads(self._run("inspect", "--format", "{{json .State}}", self.name))

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines since the last start; text that is no JSON as `text`."""
        texts = self._log()[self.lines_before :]
        return [json.loads(text) if text[:1] == "{" else {"text": text} for text in texts]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event since the last start."""
        return [line for line in self.lines() if line.get("event") == name]

    def python(self, code: str) -> str:
        """Run some Python inside the container and return what it prints."""
        return self._run("exec", self.name, "python", "-ISc", code)

    def kill(self) -> None:
        """Kill every process of the container at once."""
        self._run("kill", "--signal", "KILL", self.name)
        assert self._run("wait", self.name) == str(KILLED_EXIT)

    def stop(self) -> int:
        """Stop the container as an operator does, in the engine's own time; return its exit."""
        self._run("stop", self.name)
        return int(self.state()["ExitCode"])

    def start(self) -> None:
        """Start the container, the first time or again, with the same state folder."""
        self.ports.clear()
        self.lines_before = len(self._log())
        self._run("start", self.name)

    def _log(self) -> list[str]:
        done = self.engine.tried("logs", self.name)
        return (done.stdout + done.stderr).splitlines()

    def _address(self, port: int) -> tuple[str, int]:
        if port not in self.ports:
            host, _, published = self._run("port", self.name, f"{port}/tcp").rpartition(":")
            self.ports[port] = host, int(published)
        return self.ports[port]

    def _run(self, *arguments: str) -> str:
        return self.engine.run(*arguments)


@contextmanager
def contained(
    engine: Engine,
    image: str,
    project: Path,
    *options: str,
    memory_mib: int | None = None,
    **environ: str | None,
) -> Iterator[Contained]:
    """Serve a project, mounted read-only, until the block ends; wait first until it is ready.

    `options` are the engine's, `memory_mib` limits the container. Variables are given without
    their prefix; None leaves the service its default. At the end the container and its anonymous
    volume are removed.
    """
    arguments = [*HARDENED, *options, *_memory(memory_mib), *_variables(environ)]
    published = ("--publish", "127.0.0.1::4000", "--publish", "127.0.0.1::4001")
    mounted = ("--volume", f"{project}:/project:ro")
    name = engine.run("create", *published, *mounted, *arguments, image)
    container = Contained(engine, name)
    try:
        container.start()
        container.wait(container.is_ready)
        yield container
    finally:
        engine.run("rm", "--force", "--volumes", name)


@contextmanager
def shared_volume(engine: Engine) -> Iterator[str]:
    """Make a volume for the state of several containers; return the option that mounts it."""
    name = engine.run("volume", "create")
    try:
        yield f"--volume={name}:{STATE_FOLDER}"
    finally:
        engine.run("volume", "rm", "--force", name)


def _memory(mebibytes: int | None) -> list[str]:
    # No swap on top: the limit is then where the kernel kills.
    limit = f"{mebibytes}m"
    return [] if mebibytes is None else ["--memory", limit, "--memory-swap", limit]


def _variables(environ: Mapping[str, str | None]) -> list[str]:
    settings: dict[str, str | None] = {
        "config": "/project",
        "admin_token": ADMIN_TOKEN,
        "workers": "1",
        "drain_seconds": "0",
        "refresh_interval": "0.1",
        **environ,
    }
    pairs = (f"OFFLOADER_{name.upper()}={text}" for name, text in settings.items() if text)
    return [argument for pair in pairs for argument in ("--env", pair)]
