"""Programs that a measurement needs: there already, installed from Debian's packages, or missing.

Python's packages (asyncpg, duckdb, roapi) are the extra `bench`, which `make bench` installs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from dev.bench.serving import nginx, postgres

_INSTALL_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, the Debian package that has it, and the service that package would start."""

    package: str
    is_there: Callable[[], bool]
    service: str | None = None


TOOLS = (
    Tool("wrk", lambda: shutil.which("wrk") is not None),
    Tool("nginx-light", lambda: nginx.program() is not None, "nginx"),
    Tool("postgresql", lambda: postgres.programs() is not None, "postgresql"),
)


def install_missing() -> None:
    """Install what is missing where apt-get may; say in one line what came of it."""
    missing = [tool for tool in TOOLS if not tool.is_there()]
    if not missing:
        return
    names = ", ".join(tool.package for tool in missing)
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (prefix and shutil.which("sudo") is None):
        print(f"missing: {names}; install them by hand to have them measured", flush=True)
        return
    print(f"installing {names}", flush=True)
    _quietly([*prefix, "apt-get", "update"])
    for tool in missing:
        flags = ["-y", "--no-install-recommends"]
        _quietly([*prefix, "apt-get", "install", *flags, tool.package])
        if tool.service and tool.is_there() and shutil.which("systemctl"):
            _quietly([*prefix, "systemctl", "disable", "--now", tool.service])


def _quietly(command: list[str]) -> None:
    """Run a command; print the end of what it says when it fails."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"  {' '.join(command)}: took longer than {_INSTALL_SECONDS} s", flush=True)
        return
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        print(f"  {' '.join(command)}: {last}", flush=True)
