"""A container engine, Docker or Podman: build the image and look at what it is made to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.deploy_check.instance import ENDED, NOT_BUILT, WRONG_IMAGE, Failed

ENGINES = ("docker", "podman")
PORTS = (4000, 4001)
STATE_FOLDER = "/var/lib/offloader"
ROOT = Path(__file__).parents[2]
_ANSWER_SECONDS = 15.0
_RUN_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Engine:
    """The command of an engine that has answered."""

    command: str

    def run(self, *arguments: str) -> str:
        """Run one command and return what it prints; raise Failed (71) with what it says."""
        done = self.tried(*arguments)
        if done.returncode != 0:
            raise Failed(ENDED, f"{self.command} {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command, whatever its exit code."""
        return subprocess.run(
            [self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )


def find_engine(commands: tuple[str, ...] = ENGINES) -> Engine | None:
    """Return the first engine that answers, None when there is none."""
    for command in commands:
        try:
            if shutil.which(command) and Engine(command).tried("info").returncode == 0:
                return Engine(command)
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None


def build(engine: Engine, tag: str, environ: Mapping[str, str] = os.environ) -> None:
    """Build the image as `make image` does; raise Failed (70) when it cannot be built."""
    command = ["make", "--no-print-directory", "image", f"IMAGE={tag}", f"ENGINE={engine.command}"]
    # Podman's own format has no health check.
    environ = {**environ, "BUILDAH_FORMAT": "docker"}
    if subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode != 0:
        raise Failed(NOT_BUILT, "the image was not built: see above")


def check_image(engine: Engine, image: str) -> list[str]:
    """Return the command of the image's health check; raise Failed (72) with all its problems."""
    done = engine.tried("image", "inspect", "--format", "{{json .Config}}", image)
    if done.returncode != 0:
        raise Failed(WRONG_IMAGE, f"there is no image {image}: build it, or pull it")
    config: dict[str, Any] = json.loads(done.stdout)
    problems = problems_of(config)
    if problems:
        raise Failed(WRONG_IMAGE, "\n  ".join(["the image is not as it should be:", *problems]))
    test: list[str] = config["Healthcheck"]["Test"]
    return test[1:]


def problems_of(config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an image's config, as `inspect` shows it."""
    user = str(config.get("User") or "").partition(":")[0]
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    ports = [f"{port}/tcp" for port in PORTS if f"{port}/tcp" not in config.get("ExposedPorts", {})]
    problems = []
    if not user.isdecimal() or int(user) == 0:
        problems.append(f"its user is {user or 'root'}: expected the number of another, as 10001")
    if test[0] != "CMD":
        problems.append("it has no health check that runs without a shell: expected CMD [...]")
    if ports:
        problems.append(f"it does not expose {' and '.join(ports)}")
    if STATE_FOLDER not in (config.get("Volumes") or {}):
        problems.append(f"it has no volume at {STATE_FOLDER}")
    if config.get("StopSignal") not in (None, "", "SIGTERM", "15"):
        problems.append("its stop signal is not SIGTERM: it would end without a drain")
    return problems
