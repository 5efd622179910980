"""What is served: usage rows of 500 tenants, orders with nested lines, and the flights of 2013.

The peers get the same rows sorted, as Parquet files that DuckDB wrote.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from dev.bench import usage_snapshot
from offloader.sources.describe import create_manifest

TENANTS = usage_snapshot.TENANTS
LINES = 400  # nested rows of one order, which make about 50 KB of JSON
_FLIGHTS_SCRIPT = Path(__file__).parents[2] / "examples" / "flights" / "build.py"
_TIME = "2026-06-01T00:00:00Z"
_SORTED = {
    "usage": ("usage/part-*.parquet", "*", "tenant, account, day"),
    "orders": (
        "orders/orders.parquet",
        "tenant, order_id, to_json(lines)::varchar AS lines",
        "tenant, order_id",
    ),
    "flights": ("flights/flights-2013.parquet", "*", "origin, dest, carrier, time_hour"),
}


def publish_all(folder: Path, rows: int) -> tuple[str, ...]:
    """Write each dataset's snapshot and its sorted copy; return the datasets there are.

    `flights` is left out where its package is not installed.
    """
    usage, orders = folder / "usage", folder / "orders"
    usage.mkdir(parents=True)
    orders.mkdir()
    usage_snapshot.publish(usage, rows)
    _publish_orders(orders)
    names = ["usage", "orders"]
    if _publish_flights(folder / "flights"):
        names.append("flights")
    for name in names:
        files, columns, order = _SORTED[name]
        duckdb.execute(
            f"COPY (SELECT {columns} FROM read_parquet('{folder}/{files}') ORDER BY {order})"
            f" TO '{sorted_file(folder, name)}' (FORMAT parquet)"
        )
    return tuple(names)


def sorted_file(folder: Path, name: str) -> Path:
    """Return where the sorted copy of a dataset lies."""
    return folder / f"{name}-sorted.parquet"


def order_id(tenant: int) -> str:
    """Return the id of a tenant's order."""
    return f"order_{tenant:06d}"


def _publish_orders(folder: Path) -> None:
    """Write one order for each tenant."""
    table = pa.table(
        {
            "tenant": [f"tenant_{tenant:06d}" for tenant in range(TENANTS)],
            "order_id": [order_id(tenant) for tenant in range(TENANTS)],
            "lines": [_lines(tenant) for tenant in range(TENANTS)],
        }
    )
    path = folder / "orders.parquet"
    pa_parquet.write_table(table, path, compression="zstd")
    _describe(folder, path, "orders")


def _lines(tenant: int) -> list[dict[str, object]]:
    return [
        {
            "sku": f"sku-{tenant * 7919 % 9973:04d}-{line:05d}",
            "name": f"Größe {line % 90} für Modell {line * 31 % 777:03d}",
            "quantity": line % 17,
            "price_cents": 100 + line * 37 % 99_000,
            "tags": ["new", "fragile"] if line % 3 == 0 else ["stock"],
        }
        for line in range(LINES)
    ]


def _publish_flights(folder: Path) -> bool:
    """Have the example's script publish; it ends with 1 where the package is not installed."""
    script = runpy.run_path(str(_FLIGHTS_SCRIPT))  # by path: the examples are no packages
    return bool(script["main"](["--out", str(folder)]) == 0)


def _describe(folder: Path, path: Path, dataset: str) -> None:
    document = create_manifest(
        folder,
        [path],
        dataset_id=dataset,
        snapshot_id="bench_r0001",
        created_at=_TIME,
        watermark=_TIME,
        producer="bench",
        upstream_run_id="1",
    )
    (folder / "manifest.json").write_text(json.dumps(document))
