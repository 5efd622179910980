"""A container engine, Docker or Podman, through its command line."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("docker", "podman")
IMAGE = "offloader-tested"  # what tests build from the working tree
NO_ENGINE = (
    "no container engine answers: start Docker or Podman, name another with DOCKER_HOST,"
    " and run `make test PYTEST_ARGS=tests/container`"
)
_ANSWER_SECONDS = 10.0
_BUILD_SECONDS = 600.0
_RUN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Engine:
    """The command of an engine that has answered."""

    command: str

    def run(self, *arguments: str, seconds: float = _RUN_SECONDS) -> str:
        """Run one command of the engine and return what it prints; fail with what it says."""
        done = self.tried(*arguments, seconds=seconds)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()

    def tried(
        self, *arguments: str, seconds: float = _RUN_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the engine, whatever its exit code."""
        return subprocess.run(
            [self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def build(self, root: Path, tag: str) -> None:
        """Build the image of the project at `root`."""
        self.run("build", "--tag", tag, str(root), seconds=_BUILD_SECONDS)


def find_engine() -> Engine | None:
    """Return the first engine that answers, None when there is none."""
    for command in COMMANDS:
        if shutil.which(command) and _answers(Engine(command)):
            return Engine(command)
    return None


def _answers(engine: Engine) -> bool:
    try:
        return engine.tried("info", seconds=_ANSWER_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
