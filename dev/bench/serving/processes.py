"""Processes of a measurement: started on a port of the kernel's choice, pinned, timed, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def started(
    command: Sequence[str],
    log: Path,
    is_ready: Callable[[], bool],
    environ: Mapping[str, str] | None = None,
    stop: int = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process in a session of its own, give it once it is ready, end it.

    Raises RuntimeError with the end of its log when it ends before, TimeoutError when it takes
    longer than two minutes.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if process.poll() is not None:
                raise RuntimeError(
                    f"{command[0]} ended:\n{log.read_text(errors='replace')[-3000:]}"
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"{command[0]} did not get ready: see {log}")
            time.sleep(_LOOK_SECONDS)
        yield process
    finally:
        _end(process, stop)


def answers(port: int) -> bool:
    """Tell whether a port of the loopback takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tree(root: int) -> list[int]:
    """Return a process and all below it."""
    found = [root]
    for pid in found:
        with suppress(OSError):
            for path in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (path / "children").read_text().split()]
    return found


def pin(root: int, cores: Sequence[int]) -> None:
    """Have every thread of a process, and of all below it, run on these cores only."""
    for pid in tree(root):
        with suppress(OSError):
            for path in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    os.sched_setaffinity(int(path.name), cores)


def cpu_seconds(roots: Sequence[int]) -> float:
    """Return the processor time these processes, and all below them, have used (proc(5))."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def _end(process: subprocess.Popen[bytes], stop: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(stop)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
