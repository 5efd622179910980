"""A public project whose segment is as large as a test asks for, from files that are small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.projects import write_project
from tests.snapshots import publish_snapshot

VALUE_COLUMNS = 24
COLUMNS = (("row", "BIGINT"), *((f"value_{n}", "DOUBLE") for n in range(VALUE_COLUMNS)))
ROW_BYTES = 8 * len(COLUMNS)
SUMS = "/v1/endpoints/wide_sums"


def wide_project(root: Path) -> Path:
    """Write a project with one dataset, `wide`, and the sum of each of its columns."""
    names = [name for name, _ in COLUMNS]
    select = [{"as": name, "column": name, "agg": "sum"} for name in names]
    dataset = {
        "id": "wide",
        "schema": [{"name": name, "type": kind} for name, kind in COLUMNS],
        "manifest": "data/manifest.json",
    }
    endpoint = {
        "name": "wide_sums",
        "version": 1,
        "dataset": "wide",
        "query": {"select": select},
        "columns": names,
    }
    return write_project(root, datasets={"wide": dataset}, endpoints={"wide_sums": endpoint})


def publish_wide(root: Path, rows: int, snapshot_id: str) -> None:
    """Publish `rows` rows: `row` counts from 0, and `value_<n>` is n in each of them."""
    values = {f"value_{n}": np.full(rows, float(n)) for n in range(VALUE_COLUMNS)}
    publish_snapshot(
        root / "data" / "manifest.json",
        pa.table({"row": np.arange(rows), **values}),
        dataset_id="wide",
        columns=COLUMNS,
        snapshot_id=snapshot_id,
    )


def sums_of(rows: int) -> dict[str, Any]:
    """Return what `wide_sums` answers for `rows` rows."""
    sums = {f"value_{n}": float(n * rows) for n in range(VALUE_COLUMNS)}
    return {"row": rows * (rows - 1) // 2, **sums}
