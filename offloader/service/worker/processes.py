"""What `/diagnostics` says of the processes: main, the workers, the reloader."""

from __future__ import annotations

import os
import time
from typing import Any

from offloader.service.worker.view import View, attached_workers, beat_seconds, is_attached
from offloader.shared.control import Word
from offloader.shared.slots import Head

_STARTED_AT = 21  # the 22nd field of /proc/<pid>/stat, in ticks since the machine's start
_MOST_BYTES = 8192


def processes(view: View) -> dict[str, Any]:
    """Return what each process is; what the kernel does not tell is null."""
    reloader = view.slots.reloader()
    return {
        "main": _process(view.control[Word.MAIN_PID]),
        "workers": [_worker(view, number) for number in range(view.slots.workers)],
        "workers_attached": attached_workers(view),
        "worker_restarts": view.control[Word.WORKER_RESTARTS],
        "reloader": {
            **_process(reloader[Head.PID]),
            "heartbeat_age_seconds": _beat(reloader),
        },
        "reloader_restarts": view.control[Word.RELOADER_RESTARTS],
    }


def private_bytes(shown: dict[str, Any]) -> int:
    """Return the private memory of all processes together, given what `processes` returned."""
    each = (shown["main"], shown["reloader"], *shown["workers"])
    return sum(one["private_bytes"] or 0 for one in each)


def _worker(view: View, number: int) -> dict[str, Any]:
    head = view.slots.head(number)
    return {
        **_process(head[Head.PID]),
        "attached_generation": head[Head.ATTACHED],
        "is_attached": is_attached(view, head),
        "heartbeat_age_seconds": _beat(head),
        "connections": head[Head.CONNECTIONS],
        "in_flight": head[Head.IN_FLIGHT],
    }


def _process(pid: int) -> dict[str, Any]:
    return {
        "pid": pid,
        "uptime_seconds": _uptime_seconds(pid),
        "private_bytes": _private_bytes(pid),
    }


def _beat(head: memoryview) -> float | None:
    return round(beat_seconds(head), 3) if head[Head.HEARTBEAT_NS] else None


def _uptime_seconds(pid: int) -> float | None:
    """Return how long a process has run (proc(5)); None when there is no such process."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    try:
        ticks = int(fields[_STARTED_AT - 2])  # the first two stand before the bracket
    except (IndexError, ValueError):
        return None
    started = ticks / os.sysconf("SC_CLK_TCK")
    return round(max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started), 1)


def _private_bytes(pid: int) -> int | None:
    """Return the anonymous memory of a process, which it shares with nobody.

    Not smaps_rollup: the kernel walks every page of the shared segments for that.
    """
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return None


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
