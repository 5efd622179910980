"""Ask the admin port all the time: idle, at full API load, during builds, during swaps.

Each probe has a connection of its own, as those of an orchestrator, so that every worker is asked.
In turns with `/live` and `/ready` a bare asyncio server is asked in the same way: what it takes is
the machine's own doing. `/metrics` is scraped meanwhile, as often as its share is.

    python -m dev.bench.admin_latency [--workers N] [--datasets N] [--rows N] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from dev.bench.admin_load import api_load, building, swapping, write_api_requests
from dev.bench.admin_probe import Timing, probe
from dev.bench.bare_http import bare_server
from dev.bench.rounds import write_figures
from dev.bench.usage_service import Service, running, wait_for, write_project

SCRAPE_LIMIT_MS = 20.0
PROBE_LIMIT_MS = 100.0
ENDPOINTS = 67
PHASES = ("idle", "load", "scans", "build", "swaps")
_PEER = "bare asyncio"
_ROUTES = ("/live", "/ready", "/metrics")


@dataclass(frozen=True, slots=True)
class Phase:
    """What goes on while the port is asked."""

    name: str
    during: Callable[[], AbstractContextManager[object]]


def main(argv: list[str] | None = None) -> int:
    """Print the times beside the peer's; return 1 when a bound is broken."""
    parser = argparse.ArgumentParser(description="Time the admin port while others are at work.")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the large dataset")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--only", choices=PHASES, help="one phase")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    parser.add_argument("--json", type=Path, help="where the figures go, as JSON")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        root = Path(folder)
        project = write_project(
            root / "project", arguments.rows, arguments.datasets, ("by_region",)
        )
        _write_further(project, arguments.datasets)
        with bare_server() as peer, _started(project, root, arguments.workers) as service:
            found = _measure(service, peer, project, arguments.seconds, arguments.only)
    figures = {
        f"{phase} {route} {name}".replace(" ", "_").replace("/", ""): value
        for phase, timings in found.items()
        for route, timing in timings.items()
        for name, value in timing.figures().items()
    }
    write_figures(arguments.json, "admin_latency", figures)
    return _report(found, arguments.workers)


@contextmanager
def _started(project: Path, root: Path, workers: int) -> Iterator[Service]:
    settings = {"REFRESH_INTERVAL": "0.5", "LOG_LEVEL": "info"}
    with running(project, root / "cache", workers, settings) as service:
        service.worker_pids()
        wait_for(lambda: _is_settled(service))
        yield service


def _is_settled(service: Service) -> bool:
    datasets = service.diagnostics()["datasets"].values()
    return all(one["state"] == "active" for one in datasets)


def _measure(
    service: Service, peer: str, project: Path, seconds: float, only: str | None
) -> dict[str, dict[str, Timing]]:
    requests = write_api_requests(project, project.parent / "requests", scans=0)
    with_scans = write_api_requests(project, project.parent / "with_scans", scans=1)
    phases = (
        Phase("idle", nullcontext),
        Phase("load", lambda: api_load(service.api, requests, seconds)),
        Phase("scans", lambda: api_load(service.api, with_scans, seconds)),
        Phase("build", lambda: building(project, service)),
        Phase("swaps", lambda: swapping(service)),
    )
    addresses = {route: (service.admin, route) for route in _ROUTES} | {_PEER: (peer, "/")}
    found = {}
    for phase in (one for one in phases if only in (None, one.name)):
        with phase.during():
            found[phase.name] = probe(addresses, seconds)
    return found


def _write_further(project: Path, datasets: int) -> None:
    """Write a second summary of the first small datasets, so that there are 67 endpoints."""
    written = len(list((project / "endpoints").iterdir()))
    for number in range(1, min(datasets, ENDPOINTS - written + 1)):
        name = f"usage_{number:03d}_by_region"
        document = json.loads((project / "endpoints" / f"{name}.yml").read_text())
        document["name"] = f"{name}_again"
        path = project / "endpoints" / f"{document['name']}.yml"
        path.write_text(json.dumps(document))


def _report(found: Mapping[str, Mapping[str, Timing]], workers: int) -> int:
    broken, cpus = [], len(os.sched_getaffinity(0))
    is_crowded = workers > cpus
    print(f"{workers} workers on {cpus} CPUs, {ENDPOINTS} endpoints; milliseconds")
    print(f"{'':8}{'':14}{'asked':>6}{'median':>9}{'p99':>9}{'most':>9}   of the bare server's p99")
    for phase, timings in found.items():
        noise = timings[_PEER]
        for route, timing in timings.items():
            ratio = "" if route == _PEER else f"{timing.p99_ms / noise.p99_ms:8.1f} times"
            print(f"{phase:8}{route:14}{timing}   {ratio}")
            broken += _broken(phase, route, timing, noise, is_crowded=is_crowded)
    for line in broken:
        print(f"BROKEN: {line}")
    return 1 if broken else 0


def _broken(
    phase: str, route: str, timing: Timing, noise: Timing, *, is_crowded: bool
) -> list[str]:
    """Return which bounds are broken, and not because the machine itself stood still.

    Where scans of all workers together want several times the CPUs, none is held against them.
    """
    if route == _PEER:
        return []
    if route == "/metrics":
        is_over = phase == "idle" and timing.median_ms > SCRAPE_LIMIT_MS
        return [f"a scrape takes {timing.median_ms:.1f} ms"] if is_over else []
    if timing.failed:
        return [f"{phase}: {route} failed {timing.failed} times"]
    if phase == "scans" and is_crowded:
        return []
    if timing.p99_ms > PROBE_LIMIT_MS and noise.p99_ms <= PROBE_LIMIT_MS:
        return [f"{phase}: {route} answers in {timing.p99_ms:.1f} ms (p99)"]
    if timing.most_ms > PROBE_LIMIT_MS and noise.most_ms <= PROBE_LIMIT_MS / 2:
        return [f"{phase}: {route} answers in {timing.most_ms:.1f} ms (the slowest)"]
    return []


if __name__ == "__main__":
    raise SystemExit(main())
