"""The machine as it may be shown: kernel, limits, memory, disk, versions."""

from __future__ import annotations

import os
import platform
import resource
import shutil
from pathlib import Path
from typing import Any

from offloader import __version__
from offloader.segment.layout import FORMAT_VERSION
from offloader.service.bundle.archive import Entry, entry_of
from offloader.service.doctor.packages import installed
from offloader.service.state import VERSION as STATE_VERSION
from offloader.settings.resources import cpu_count, memory_available

_FACTS = {
    "memory.max": "sys/fs/cgroup/memory.max",
    "memory.current": "sys/fs/cgroup/memory.current",
    "memory.events": "sys/fs/cgroup/memory.events",
    "cpu.max": "sys/fs/cgroup/cpu.max",
    "cpu.stat": "sys/fs/cgroup/cpu.stat",
    "meminfo": "proc/meminfo",
    "loadavg": "proc/loadavg",
    "memory.pressure": "proc/pressure/memory",
    "io.pressure": "proc/pressure/io",
    "cpu.pressure": "proc/pressure/cpu",
}
_MOST_CHARACTERS = 4096


def machine_entry(root: Path, cache_dir: Path) -> Entry:
    """Return what this container may use and what it uses; `root` is the root of the files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    document: dict[str, Any] = {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": cpu_count(root, len(os.sched_getaffinity(0))),
        "memory_available_bytes": memory_available(root),
        "open_files": {"soft": soft, "hard": hard},
        "uid": os.getuid(),
        "gids": sorted({os.getgid(), *os.getgroups()}),
        "cache_disk": _disk(cache_dir),
        "facts": {name: _read(root / path) for name, path in _FACTS.items()},
    }
    return entry_of("environment/machine.json", document, "kernel, limits, memory and disk")


def versions_entry() -> Entry:
    """Return the versions of everything that runs."""
    document = {
        "offloader": __version__,
        "python": platform.python_version(),
        "segment_format": FORMAT_VERSION,
        "state_format": STATE_VERSION,
        "packages": installed(),
    }
    return entry_of("versions.json", document, "versions of Offloader, Python and packages")


def _disk(folder: Path) -> dict[str, int] | None:
    try:
        used = shutil.disk_usage(folder)
    except OSError:
        return None
    return {"total_bytes": used.total, "free_bytes": used.free}


def _read(path: Path) -> list[str] | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_CHARACTERS).splitlines()
    except OSError:
        return None
