"""What goes on beside the admin port: full API load, builds without a pause, swaps."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

from dev.bench.serving import wrk
from dev.bench.serving.asking import write_requests
from dev.bench.usage_service import Service, wait_for
from dev.bench.usage_snapshot import ACCOUNTS, TENANTS

CONNECTIONS = 64
SWAP_SECONDS = 1.0
_REQUESTS = 2_000
_SUMMARIES = 20  # of a hundred requests, each over a small dataset
_PACED_RATE = "3000"
_FIRST = datetime(2026, 6, 1, tzinfo=UTC)


def write_api_requests(project: Path, path: Path, *, scans: int) -> Path:
    """Write lookups and summaries for the load generator; `scans` of a hundred read all rows."""
    chance = random.Random(1)
    names = sorted(one.stem for one in (project / "endpoints").glob("usage_0*_by_region.yml"))
    targets = []
    for number in range(_REQUESTS):
        if number % 100 < scans:
            targets.append("usage_by_region")
        elif number % 100 < _SUMMARIES and names:
            targets.append(chance.choice(names))
        else:
            tenant, account = chance.randrange(TENANTS), chance.randrange(ACCOUNTS)
            query = f"tenant=tenant_{tenant:06d}&account=account_{account:06d}"
            targets.append(f"usage_of_account?{query}")
    requests = [f"GET /v1/endpoints/{one} HTTP/1.1\r\nHost: bench\r\n\r\n" for one in targets]
    return write_requests(path, [one.encode() for one in requests])


@contextmanager
def api_load(address: str, requests: Path, seconds: float) -> Iterator[None]:
    """Ask as fast as the service answers while the block runs: by wrk, or the paced generator."""
    rates: list[float] = []

    def ask() -> None:
        rates.append(wrk.load(address, requests, seconds + 1, connections=CONNECTIONS).rate)

    if shutil.which("wrk") is None:
        with _paced(address, requests, seconds):
            yield
        return
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    print(f"the load was {rates[0]:.0f} requests a second (wrk, {CONNECTIONS} connections)")


@contextmanager
def _paced(address: str, requests: Path, seconds: float) -> Iterator[None]:
    command = [sys.executable, "-m", "dev.bench.serving.paced", address, str(requests)]
    command += ["--rate", _PACED_RATE, "--seconds", str(seconds + 1)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.wait()


@contextmanager
def building(project: Path, service: Service) -> Iterator[None]:
    """Publish the large dataset again whenever it was swapped in, so that a build goes on."""
    numbers = count(2)

    def publish_next(stop: threading.Event) -> None:
        snapshot_id = _republish(project, next(numbers))
        while not stop.wait(0.1):
            if _served(service) == snapshot_id:
                snapshot_id = _republish(project, next(numbers))

    with _aside(publish_next):
        wait_for(lambda: service.diagnostics()["building"])
        yield
    wait_for(lambda: not service.diagnostics()["build"])
    print(f"{next(numbers) - 2} snapshots were published one after the other")


@contextmanager
def swapping(service: Service) -> Iterator[None]:
    """Pin the large dataset to its last two snapshots in turns, every second."""
    swaps: list[float] = []

    def pin_other(stop: threading.Event) -> None:
        while not stop.wait(SWAP_SECONDS):
            previous = service.diagnostics()["datasets"]["usage"]["previous"]
            answer = _post(service.admin, "/datasets/usage/pin", previous["snapshot_id"])
            if answer["outcome"] == "done":
                swaps.append(answer["generation"])

    with _aside(pin_other):
        yield
    print(f"{len(swaps)} swaps, one a second")


@contextmanager
def _aside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _republish(project: Path, number: int) -> str:
    """Publish the same files as a newer snapshot, whose segment must be built anew."""
    path = project / "usage_data" / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    manifest["snapshot_id"] = f"bench_r{number:04d}"
    manifest["watermark"] = (_FIRST + timedelta(minutes=number)).isoformat()
    written = path.with_suffix(".new")
    written.write_text(json.dumps(manifest))
    written.replace(path)
    return str(manifest["snapshot_id"])


def _served(service: Service) -> str:
    return str(service.diagnostics()["datasets"]["usage"]["snapshot_id"])


def _post(address: str, target: str, snapshot_id: str) -> dict[str, Any]:
    connection = HTTPConnection(address, timeout=60)
    headers = {"Authorization": "Bearer bench", "Content-Type": "application/json"}
    try:
        connection.request("POST", target, json.dumps({"snapshot_id": snapshot_id}), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()
