"""A published snapshot of usage rows, as large as asked, the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from offloader.catalog.model import Column, Dataset
from offloader.catalog.types import parse_type

TENANTS, ACCOUNTS, REGIONS, DAYS = 500, 50_000, 12, 730
COLUMNS = tuple(
    Column(name, parse_type(text))
    for name, text in [
        ("tenant", "VARCHAR"),
        ("account", "VARCHAR"),
        ("day", "DATE"),
        ("calls", "BIGINT"),
        ("cost", "DOUBLE"),
        ("region", "VARCHAR"),
    ]
)
DATASET = Dataset("usage", COLUMNS, tenant_column="tenant")


def publish(folder: Path, rows: int, files: int = 4, dataset: str = DATASET.id) -> int:
    """Write Parquet files and `manifest.json` into `folder`; return the rows' size in Arrow."""
    random = np.random.default_rng(20_260_601)
    arrow_bytes = 0
    entries = []
    for number in range(files):
        count = rows * (number + 1) // files - rows * number // files
        table = _table(random, count)
        arrow_bytes += table.nbytes
        path = folder / f"part-{number:05d}.parquet"
        pa_parquet.write_table(table, path)
        size = path.stat().st_size
        entries.append(
            {"path": path.name, "format": "parquet", "row_count": count, "size_bytes": size}
        )
    (folder / "manifest.json").write_text(json.dumps(_manifest(dataset, entries)))
    return arrow_bytes


def _table(random: np.random.Generator, count: int) -> pa.Table:
    def text(prefix: str, distinct: int) -> pa.Array:
        words = pa.array([f"{prefix}_{n:06d}" for n in range(distinct)])
        return words.take(pa.array(random.integers(0, distinct, count)))

    days = random.integers(19_000, 19_000 + DAYS, count).astype(np.int32)
    return pa.table(
        {
            "tenant": text("tenant", TENANTS),
            "account": text("account", ACCOUNTS),
            "day": pa.array(days).cast(pa.date32()),
            "calls": random.integers(0, 10**9, count),
            "cost": random.random(count),
            "region": text("region", REGIONS),
        }
    )


def _manifest(dataset: str, entries: list[dict[str, object]]) -> dict[str, object]:
    return {
        "dataset_id": dataset,
        "snapshot_id": "bench_r0001",
        "created_at": "2026-06-01T00:01:00Z",
        "watermark": "2026-06-01T00:00:00Z",
        "schema": [{"name": c.name, "type": str(c.type)} for c in COLUMNS],
        "files": entries,
        "partition_columns": [],
        "sort_columns": [],
        "row_count": sum(int(str(e["row_count"])) for e in entries),
        "size_bytes": sum(int(str(e["size_bytes"])) for e in entries),
        "producer": "bench",
        "upstream_run_id": "1",
        "schema_version": "1",
        "data_quality_status": "passed",
        "compatibility_policy": "additive_only",
    }
