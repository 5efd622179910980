"""wrk: as many requests as a server answers, over connections that are kept."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.bench.serving.processes import cpu_seconds

_SCRIPT = Path(__file__).with_name("requests.lua")


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one subject: requests a second, microseconds, processor time a request."""

    rate: float
    p50: float
    p99: float
    cpu_us: float
    megabytes_per_second: float


def load(
    address: str,
    requests: Path,
    seconds: float,
    *,
    roots: Sequence[int] = (),
    cores: Sequence[int] = (),
    connections: int = 32,
) -> Sample:
    """Ask as fast as the server answers; `roots` are its processes, `cores` those of wrk.

    Who answers nothing in that time gets four times as long. Raises RuntimeError when an answer is
    no success, or there is none, OSError when wrk is not there.
    """
    if shutil.which("wrk") is None:
        raise OSError("wrk is not installed")
    for duration in (seconds, 4 * seconds):
        before = cpu_seconds(roots)
        found = _run(address, requests, duration, cores, connections)
        used = cpu_seconds(roots) - before
        if found["failed"]:
            raise RuntimeError(
                f"{found['failed']:g} requests to {address} failed ({requests.name})"
            )
        if found["requests"]:
            took = found["microseconds"] / 1e6
            return Sample(
                found["requests"] / took,
                found["p50"],
                found["p99"],
                used / found["requests"] * 1e6,
                found["bytes"] / took / 1e6,
            )
    raise RuntimeError(f"{address} answered nothing in {4 * seconds:g} s ({requests.name})")


def _run(
    address: str, requests: Path, seconds: float, cores: Sequence[int], connections: int
) -> dict[str, float]:
    """Run wrk and return what its script printed."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s"]
    command += ["--timeout", "30s", "-s", str(_SCRIPT), f"http://{address}/", "--", str(requests)]
    if cores:
        command = ["taskset", "-c", ",".join(map(str, cores)), *command]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
