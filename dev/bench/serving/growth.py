"""The same look-up over a million rows and over a hundred times as many.

Each dataset has a key, unique and in no order, and two narrow columns. One connection asks, so that
what is measured is the latency of an answer, not a queue.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from dev.bench.rounds import in_turns
from dev.bench.serving.asking import http_request, write_requests
from dev.bench.serving.measuring import cores_for
from dev.bench.serving.processes import pin
from dev.bench.serving.project import token_of
from dev.bench.serving.wrk import Sample, load
from dev.bench.usage_service import running
from offloader.settings.resources import memory_available
from offloader.sources.describe import create_manifest

SMALL_ROWS = 1_000_000
_ASKED = 50_000
_CHUNK_ROWS = 5_000_000
# What a row takes at most: files and segment; segment and its page cache while it is loaded.
_DISK_ROW_BYTES, _MEMORY_ROW_BYTES = 120, 150
_TIME = "2026-06-01T00:00:00Z"
_SCHEMA = [
    {"name": "account", "type": "BIGINT"},
    {"name": "calls", "type": "INTEGER"},
    {"name": "day", "type": "DATE"},
]


@dataclass(frozen=True, slots=True)
class Growth:
    """Median microseconds of a look-up, and processor time, over few rows and over many."""

    rows: tuple[int, int]
    p50: tuple[float, float]
    cpu_us: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times as long a look-up takes over many rows."""
        return self.p50[1] / self.p50[0]


def rows_that_fit(folder: Path, rows: int) -> int:
    """Return `rows`, or a tenth and so on, until memory and disk have room for them."""
    disk_bytes = shutil.disk_usage(folder).free
    memory_bytes = memory_available(Path("/"))
    while rows > SMALL_ROWS and (
        rows * _DISK_ROW_BYTES > disk_bytes or rows * _MEMORY_ROW_BYTES > memory_bytes
    ):
        rows //= 10
    return rows


def measure_growth(folder: Path, rows: int, rounds: int, seconds: float) -> Growth:
    """Publish both datasets, serve them, and ask them in turns."""
    sizes = {"small": min(SMALL_ROWS, rows), "large": rows}
    project = _write_project(folder / "growth", sizes)
    asked = {name: _write_requests(folder, name, count) for name, count in sizes.items()}
    settings = {"REFRESH_INTERVAL": "3600"}
    with running(project, folder / "growth-cache", 1, settings) as service:
        service.worker_pids()
        pin(service.process.pid, cores_for(1).serving)

        def ask(name: str, for_seconds: float = seconds) -> Sample:
            return load(
                service.api,
                asked[name],
                for_seconds,
                roots=(service.process.pid,),
                cores=cores_for(1).asking,
                connections=1,
            )

        for name in sizes:
            ask(name, 1)
        found = in_turns({name: partial(ask, name) for name in sizes}, rounds)
    return _growth(sizes["small"], rows, found["small"], found["large"])


def _growth(few: int, many: int, small: Sequence[Sample], large: Sequence[Sample]) -> Growth:
    p50 = (median(s.p50 for s in small), median(s.p50 for s in large))
    cpu_us = (median(s.cpu_us for s in small), median(s.cpu_us for s in large))
    return Growth((few, many), p50, cpu_us)


def _write_project(root: Path, sizes: dict[str, int]) -> Path:
    """Write a project of one keyed look-up a dataset; what is there already is kept."""
    if (root / "offloader.yml").exists():
        return root
    for name in ("datasets", "endpoints", "keys"):
        (root / name).mkdir(parents=True)
    for name, rows in sizes.items():
        _publish(root / name, name, rows)
        dataset = {"id": name, "schema": _SCHEMA, "manifest": f"{name}/manifest.json"}
        _write(root / "datasets" / f"{name}.yml", dataset)
        _write(root / "endpoints" / f"{name}.yml", _endpoint(name))
    key = {
        "id": "everyone",
        "hash": hashlib.sha256(token_of(-1).encode()).hexdigest(),
        "tenant": None,
        "endpoints": [f"of_{name}" for name in sizes],
        "status": "active",
    }
    _write(root / "keys" / "keys.yml", {"keys": [key]})
    _write(root / "offloader.yml", {"version": 1, "keys": "keys/keys.yml"})
    return root


def _endpoint(dataset: str) -> dict[str, Any]:
    names = [column["name"] for column in _SCHEMA]
    return {
        "name": f"of_{dataset}",
        "version": 1,
        "dataset": dataset,
        "params": [{"name": "account", "type": "integer", "required": True}],
        "query": {
            "select": [{"as": name, "column": name} for name in names],
            "filters": [{"column": "account", "op": "eq", "param": "account"}],
        },
        "columns": names,
    }


def _account(position: np.ndarray, rows: int) -> np.ndarray:
    """Return the key of a row: each of 0 to rows - 1 once, neighbours far apart."""
    return (position.astype(np.int64) * 48_271 + 12_345) % rows


def _publish(folder: Path, dataset: str, rows: int) -> None:
    folder.mkdir()
    files = []
    for number, first in enumerate(range(0, rows, _CHUNK_ROWS)):
        position = np.arange(first, min(rows, first + _CHUNK_ROWS))
        account = _account(position, rows)
        table = pa.table(
            {
                "account": account,
                "calls": (account % 9973).astype(np.int32),
                "day": pa.array((19_000 + account % 730).astype(np.int32)).cast(pa.date32()),
            }
        )
        files.append(folder / f"part-{number:05d}.parquet")
        pa_parquet.write_table(table, files[-1], use_dictionary=False)
    document = create_manifest(
        folder,
        files,
        dataset_id=dataset,
        snapshot_id="bench_r0001",
        created_at=_TIME,
        watermark=_TIME,
        producer="bench",
        upstream_run_id="1",
        checksum=None,
    )
    (folder / "manifest.json").write_text(json.dumps(document))


def _write_requests(folder: Path, name: str, rows: int) -> Path:
    accounts = np.random.default_rng(5).integers(0, rows, _ASKED).tolist()
    target = f"/v1/endpoints/of_{name}?account="
    requests = [http_request(f"{target}{account}", -1) for account in accounts]
    return write_requests(folder / f"growth-{name}.http", requests)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document))  # JSON is YAML too
