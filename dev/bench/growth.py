"""What grows while the service runs: kept answers in a worker, snapshots held over swaps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from http.client import HTTPConnection
from itertools import islice, product
from pathlib import Path

from dev.bench.footprint import own_of
from dev.bench.usage_service import Service, get, running, segment_bytes, wait_for

KEPT_BYTES = 16 << 20
SNAPSHOTS = 4
# What the least limit has beside two snapshots, which are never of the same size to the byte.
_LEAST_LIMIT = 2.05
_OLD_SECONDS = 120.0
_KEY = {"Authorization": "Bearer demo-acme"}
_DAILY = "/v1/endpoints/customer_usage_daily"
_TOP = "/v1/endpoints/customer_top_accounts?limit=100"


def publish(project: Path, script: str, *arguments: str) -> bool:
    """Have an example's script publish into its project; False when it lacks what it reads."""
    command = [sys.executable, str(project / script), "--out", str(project / "data"), *arguments]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def kept_answers(project: Path, cache: Path) -> float:
    """Fill the response cache of one worker; return its growth, times the setting.

    A worker that keeps nothing answers the same requests beside it: its growth is taken off.
    """
    growth = {kept: _growth(project, cache, kept) for kept in (0, KEPT_BYTES)}
    ratio = (growth[KEPT_BYTES] - growth[0]) / KEPT_BYTES
    print(f"\nkept answers: {ratio:.2f} x OFFLOADER_RESPONSE_CACHE_BYTES, once they fill it")
    return ratio


def _growth(project: Path, cache: Path, kept_bytes: int) -> int:
    with running(project, cache, 1, {"RESPONSE_CACHE_BYTES": str(kept_bytes)}) as service:
        (pid,) = service.worker_pids()
        connection = HTTPConnection(service.api, timeout=60)
        accounts = [row["account_id"] for row in json.loads(_asked(connection, _TOP))["data"]]
        targets = product(range(1, 366), accounts)
        before, sent_bytes = own_of(pid).private, 0
        while sent_bytes < 1.5 * KEPT_BYTES:
            for limit, account in islice(targets, 50):
                target = f"{_DAILY}?account_id={account}&limit={366 - limit}"
                sent_bytes += len(_asked(connection, target))
        connection.close()
        return own_of(pid).private - before


def _asked(connection: HTTPConnection, target: str) -> bytes:
    connection.request("GET", target, headers=_KEY)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{target} answered {answer.status}")
    return body


def swaps(project: Path, cache: Path, rows: int) -> Mapping[str, float]:
    """Publish snapshot after snapshot of one size; return what is held, times the served one.

    The memory limit is the least that two snapshots fit. What was replaced counts as old: younger
    files than a minute are not removed yet. Raises RuntimeError when one was not held in memory.
    """
    served = segment_bytes(cache)
    limit = {"MEMORY_LIMIT": str(int(_LEAST_LIMIT * served))}
    memory, disk = [], []
    with running(project, cache, 2, limit) as service:
        for revision in range(2, SNAPSHOTS + 1):
            _make_old(cache)
            publish(project, "generate.py", f"--rows={rows}", f"--revision={revision}")
            wait_for(partial(_is_served, service, revision))
            wait_for(lambda: segment_bytes(cache) < 2.1 * served)
            memory.append(service.diagnostics()["memory"]["shared_bytes"] / served)
            disk.append(segment_bytes(cache) / served)
        if service.event("served_from_page_cache"):
            raise RuntimeError(f"{_LEAST_LIMIT} snapshots are not enough for a swap in memory")
    words = ", ".join(f"{m:.2f} and {d:.2f}" for m, d in zip(memory, disk, strict=True))
    print(f"limit {_LEAST_LIMIT} x what is served: each swap was in memory;")
    print(f"after each, memory and disk, x what was served at first: {words}")
    return {"swap_memory_ratio": max(memory), "swap_disk_ratio": max(disk)}


def _make_old(cache: Path) -> None:
    then = time.time() - _OLD_SECONDS
    for path in cache.glob("segments/*/*"):
        os.utime(path, (then, then))


def _is_served(service: Service, revision: int) -> bool:
    (dataset,) = json.loads(get(service.admin, "/status")[1])["datasets"].values()
    return str(dataset["snapshot_id"]).endswith(f"_r{revision:04d}")
