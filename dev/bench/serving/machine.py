"""Say on what was measured: processor, memory, kernel, versions of everything that took part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dev.bench.serving import nginx, postgres

_VERSION = re.compile(r"\d+(\.\d+)+")
_PACKAGES = ("sanic", "uvloop", "httptools", "numpy", "duckdb", "asyncpg", "roapi")


def machine() -> str:
    """Return one line: cores this process may use, processor, memory, kernel."""
    cores = len(os.sched_getaffinity(0))
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{cores} cores, {_processor()}, {memory_gb:.0f} GB, Linux {platform.release()}"


def versions() -> dict[str, str]:
    """Return the versions of what is there, by name."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    binaries = postgres.programs()
    programs = {
        "wrk": ["wrk", "-v"],
        "nginx": [nginx.program() or "nginx", "-v"],
        "postgresql": [str(binaries / "postgres") if binaries else "postgres", "--version"],
    }
    for name, command in programs.items():
        if text := _version(command):
            found[name] = text
    return found


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _version(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError:
        return ""
    match = _VERSION.search(done.stdout)
    return match[0] if match else ""
