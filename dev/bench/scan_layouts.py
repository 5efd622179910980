"""Measure what a remote scan reads of files that are laid out in different ways.

The same rows are written sorted by tenant and day, and shuffled, in row groups of several sizes,
with zstd. Each request is asked twice: with the footers still to be read, and with them kept.
Files lie in a folder: what a store would add is its latency, for each of the requests shown.

    python -m dev.bench.scan_layouts [--rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from dev.bench.rounds import middle
from offloader.catalog.model import Column, Dataset, Endpoint, Filter, Order, Param, Select
from offloader.catalog.types import parse_type
from offloader.query.encode import encode_json
from offloader.query.execute import run
from offloader.query.params import bind, parse_query
from offloader.query.plan import Plan, compile_plan
from offloader.segment.build import PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.segment.read import open_segment
from offloader.segment.remote_files import PinnedFile, RemoteFiles
from offloader.service.worker.scan_reading import Reading
from offloader.sources.footers import Footers
from offloader.sources.scan import Scanner
from offloader.sources.scan_bounds import ScanLimits
from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.open import Stores

TENANTS, DAYS = 1000, 365
_TYPES = {
    "tenant": "VARCHAR", "day": "DATE", "account": "VARCHAR", "region": "VARCHAR",
    "calls": "BIGINT", "amount": "DECIMAL(12,2)", "seen_at": "TIMESTAMP", "note": "VARCHAR",
}  # fmt: skip
_COLUMNS = tuple(Column(name, parse_type(text)) for name, text in _TYPES.items())
_SHOWN = ("day", "account", "calls", "amount")
_REQUESTS = {
    "one tenant": "limit=100",
    "one tenant, one week": "from=2025-03-03&to=2025-03-09&limit=100",
    "one tenant, one account": "account=acct_000007&limit=100",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to write the rows."""

    name: str
    is_sorted: bool
    group_rows: int


LAYOUTS = (
    Layout("sorted, 10,000", True, 10_000),
    Layout("sorted, 100,000", True, 100_000),
    Layout("sorted, 1,000,000", True, 1_000_000),
    Layout("shuffled, 100,000", False, 100_000),
)


def main() -> None:
    """Print one line for each layout and request."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print("| layout, rows a group | file | request | footer | bytes read | rows read | ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for layout in LAYOUTS:
            path = Path(folder) / "rows.parquet"
            write(path, layout, args.rows)
            for line in measured(path, layout, args.rounds):
                print(line, flush=True)


def write(path: Path, layout: Layout, rows: int) -> None:
    """Write the rows in a layout."""
    pick = np.random.default_rng(1)
    tenant, day = pick.integers(0, TENANTS, rows), pick.integers(0, DAYS, rows)
    if layout.is_sorted:
        order = np.lexsort((day, tenant))
        tenant, day = tenant[order], day[order]
    start = np.datetime64("2025-01-01", "D").astype(np.int64)
    second = pick.integers(0, 86_400_000_000, rows)
    made = {
        "tenant": pa.array(np.char.add("tenant_", np.char.zfill(tenant.astype(str), 4))),
        "day": pa.array((day + start).astype(np.int32)).cast(pa.date32()),
        "account": pa.array(np.char.add("acct_", _numbers(pick.integers(0, 5000, rows)))),
        "region": pa.array(np.array(["eu", "us", "ap"])[pick.integers(0, 3, rows)]),
        "calls": pa.array(pick.integers(0, 100_000, rows)),
        "amount": pa.array(pick.integers(0, 10**6, rows))
        .cast(pa.decimal128(21, 2))
        .cast(pa.decimal128(12, 2)),
        "seen_at": pa.array((day + start) * 86_400_000_000 + second).cast(
            pa.timestamp("us", "UTC")
        ),
        "note": pa.array(np.char.add("note ", _numbers(pick.integers(0, 10**6, rows)))),
    }
    pa_parquet.write_table(
        pa.table(made),
        path,
        row_group_size=layout.group_rows,
        compression="zstd",
        write_page_index=True,
    )


def _numbers(values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.char.zfill(values.astype(str), 6)


def measured(path: Path, layout: Layout, rounds: int) -> Iterator[str]:
    """Yield the lines of one layout."""
    size_bytes = path.stat().st_size
    plan = plan_over(path)
    for request, query in _REQUESTS.items():
        bound = bind(plan.signature, parse_query(query.encode()))
        pool = ThreadPoolExecutor(8)
        scanner = Scanner(Stores(Access()), Footers(64 << 20), pool)
        reading = Reading(scanner, ScanLimits(seconds=600, read_bytes=1 << 40))
        first = reading.read(plan, bound, "tenant_0123")
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            found = reading.read(plan, bound, "tenant_0123")
            over = compile_plan(plan.dataset, found.endpoint, found.segment)
            encode_json(over, bound, run(over, bound, "tenant_0123"), stale=False)
            times.append((time.perf_counter() - began) * 1000)
        footer = first.bytes_read - found.bytes_read
        yield (
            f"| {layout.name} | {size_bytes / 1e6:.0f} MB | {request} | {footer / 1e3:.0f} KB |"
            f" {found.bytes_read / 1e3:,.0f} KB | {found.rows_read:,} | {middle(times):.1f} |"
        )


def plan_over(path: Path) -> Plan:
    """Compile the endpoint over a file, and a segment without rows."""
    place = Location("file", "/", str(path).removeprefix("/"))
    found = Stores(Access()).at(place).stat(place.key)
    rows = pa_parquet.read_metadata(path).num_rows
    pinned = PinnedFile(str(path), "parquet", found.version, found.size_bytes, rows)
    dataset = Dataset("usage", _COLUMNS, tenant_column="tenant", manifest="m.json")
    day = {name: Param(name, "date") for name in ("from", "to")}
    endpoint = Endpoint(
        name="usage",
        version=1,
        dataset="usage",
        select=tuple(Select(name, name) for name in _SHOWN),
        columns=_SHOWN,
        serving_mode="remote_scan",
        tenant_column="tenant",
        params=(*day.values(), Param("account", "string")),
        filters=(
            Filter("day", "gte", "from"),
            Filter("day", "lte", "to"),
            Filter("account", "eq", "account"),
        ),
        order_by=(Order("day", descending=True),),
        max_limit=1000,
        digest="e" * 32,
    )
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "columns"
        facts = SnapshotFacts("usage", "s", "a" * 32, 0, 0)
        build_segment((), _COLUMNS, "tenant", PartTargets(part), facts)
        segment = open_segment(part.read_bytes())
    files = RemoteFiles(_COLUMNS, (pinned,))
    return compile_plan(dataset, endpoint, replace(segment, files=files))


if __name__ == "__main__":
    main()
