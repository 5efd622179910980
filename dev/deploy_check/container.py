"""An instance as a container of the image, with no right that it does not need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

from dev.deploy_check.engine import PORTS, Engine
from dev.deploy_check.instance import ENDED, LOG_LINES, Failed, ended_by_itself, settings
from dev.deploy_check.project import Project

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
TOKEN_FILE = "/run/secrets/admin-token"
STOP_SECONDS = 40


@dataclass(slots=True, eq=False)
class Container:
    """A container that was started; its ports are published on loopback only."""

    engine: Engine
    name: str
    addresses: dict[int, str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Where its API port answers."""
        return f"http://{self.addresses[4000]}"

    @property
    def admin_url(self) -> str:
        """Where its admin port answers."""
        return f"http://{self.addresses[4001]}"

    def ended(self) -> int | None:
        """Return the exit code when it has ended, else None."""
        shown = "{{.State.Running}} {{.State.ExitCode}}"
        is_running, exit_code = self.engine.run("inspect", "--format", shown, self.name).split()
        return None if is_running == "true" else int(exit_code)

    def log(self) -> list[str]:
        """Return the last lines that it wrote."""
        done = self.engine.tried("logs", "--tail", str(LOG_LINES), self.name)
        return (done.stdout + done.stderr).splitlines()

    def stop(self) -> int:
        """Stop it as an operator does and return its exit code."""
        self.engine.run("stop", "--time", str(STOP_SECONDS), self.name)
        return self.ended() or 0

    def is_healthy(self, command: list[str]) -> bool:
        """Run the image's own health check inside."""
        return self.engine.tried("exec", self.name, *command).returncode == 0


@contextmanager
def container(engine: Engine, image: str, project: Project) -> Iterator[Container]:
    """Serve a project, mounted read-only, until the block ends; then remove all of it.

    Raises Failed (71) when it cannot be started, or ends at once.
    """
    name = f"offloader-deploy-check-{token_hex(4)}"
    started = Container(engine, name)
    try:
        done = engine.tried("run", "--detach", "--name", name, *_options(project), image)
        if done.returncode != 0:
            raise Failed(ENDED, f"the container was not started: {done.stderr.strip()}")
        _read_addresses(started)
        yield started
    finally:
        engine.tried("rm", "--force", "--volumes", name)


def _options(project: Project) -> list[str]:
    mounts = ((project.root, "/project"), (project.admin_token, TOKEN_FILE))
    options = [*HARDENED]
    for port in PORTS:
        options += ["--publish", f"127.0.0.1::{port}"]
    for path, target in mounts:
        options += ["--volume", f"{path}:{target}:ro,z"]
    for variable, text in settings("/project", TOKEN_FILE).items():
        options += ["--env", f"{variable}={text}"]
    return options


def _read_addresses(started: Container) -> None:
    for port in PORTS:
        done = started.engine.tried("port", started.name, f"{port}/tcp")
        if done.returncode != 0 or not done.stdout.strip():
            exit_code = started.ended()
            if exit_code is not None:
                raise ended_by_itself(started, exit_code)
            raise Failed(ENDED, f"port {port} is not published: {done.stderr.strip()}")
        started.addresses[port] = done.stdout.split()[0]
