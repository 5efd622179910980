"""The producer: writes a data file to the bucket, then the manifest, as a pipeline would."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pa_parquet

from offloader.sources.describe import create_manifest

PROJECT = Path(__file__).parent / "project"
SHOPS = ("berlin", "lisbon", "london", "madrid", "oslo", "paris", "rome", "vienna")
FIRST_DAY = date(2026, 1, 1)
DAYS = 365


@dataclass(slots=True)
class Publisher:
    """Publishes to a prefix of a bucket; `put` writes one object under a key."""

    put: Callable[[str, bytes], None]
    rows: int
    number: int = 0

    def put_project(self) -> None:
        """Write the project's own files: what a replica is configured by."""
        for path in sorted(PROJECT.rglob("*.yml")):
            self.put(f"project/{path.relative_to(PROJECT).as_posix()}", path.read_bytes())

    def publish(self) -> str:
        """Publish the next snapshot, its manifest last; return its id."""
        self.number += 1
        snapshot_id = f"s{self.number:04d}"
        with tempfile.TemporaryDirectory(prefix="stateless-") as folder:
            path = Path(folder) / snapshot_id / "orders.parquet"
            path.parent.mkdir()
            pa_parquet.write_table(orders(self.rows, self.number), path)
            document = describe(Path(folder), path, snapshot_id)
            self.put(f"project/data/{snapshot_id}/orders.parquet", path.read_bytes())
        self.put("project/data/manifest.json", json.dumps(document).encode())
        return snapshot_id


def describe(folder: Path, path: Path, snapshot_id: str) -> dict[str, object]:
    """Return the manifest of one data file."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return create_manifest(
        folder,
        [path],
        dataset_id="orders",
        snapshot_id=snapshot_id,
        watermark=now,
        created_at=now,
        producer="stateless-example",
        upstream_run_id=f"run_{snapshot_id}",
    )


def orders(rows: int, number: int) -> pa.Table:
    """Return the rows of a snapshot: they follow from its number, and no two are alike."""
    at = np.arange(rows)
    days = [FIRST_DAY + timedelta(days=day) for day in range(DAYS)]
    counts = pa.array(at % 97 + number, pa.int64())
    price = pa.scalar(Decimal("19.95"), pa.decimal128(4, 2))
    return pa.table(
        {
            "shop": pa.array(SHOPS).take(pa.array(at % len(SHOPS))),
            "day": pa.array(days, pa.date32()).take(pa.array(at // len(SHOPS) % DAYS)),
            "orders": counts,
            "revenue": pc.multiply(counts.cast(pa.decimal128(19, 0)), price).cast(
                pa.decimal128(18, 2)
            ),
        }
    )
