"""A project of many datasets whose segments lie in a cache: what a swap is measured with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dev.bench.usage_snapshot import COLUMNS
from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog
from offloader.segment.build import build_segment, targets_of
from offloader.segment.facts import SnapshotFacts
from offloader.service.cache import Cache
from offloader.service.generation_document import Document, entry_of, plan_parts

_ENDPOINTS: Mapping[str, Mapping[str, Any]] = {
    "of_account": {
        "filters": [("tenant", "eq", "string"), ("account", "eq", "string")],
        "order_by": [{"column": "day", "dir": "asc"}],
    },
    "of_region": {
        "filters": [("region", "eq", "string"), ("day", "gte", "date")],
        "order_by": [{"column": "day", "dir": "desc"}],
    },
    "largest": {
        "filters": [("tenant", "eq", "string")],
        "order_by": [{"column": "calls", "dir": "desc"}],
    },
    "by_region": {
        "filters": [("day", "eq", "date")],
        "select": [
            {"as": "region", "column": "region"},
            {"as": "calls", "column": "calls", "agg": "sum"},
        ],
        "group_by": ["region"],
    },
}


@dataclass(frozen=True, slots=True)
class SwapProject:
    """A catalog and a cache; `entries` are by dataset, `others` those of a second snapshot."""

    documents: Document
    cache: Cache
    entries: Mapping[str, Document]
    others: Mapping[str, Document]

    def swapped(self, turn: int) -> Document:
        """Return a generation in which one dataset has its first or its second snapshot."""
        changed = self.others if turn % 2 else {}
        return {"documents": self.documents, "snapshots": {**self.entries, **changed}}

    def relabelled(self, turn: int) -> Document:
        """Return a generation of the same snapshots under a project file that differs."""
        label = {**self.documents["project"], "object_store_mode": f"bench {turn}"}
        return {"documents": {**self.documents, "project": label}, "snapshots": self.entries}


def make_project(folder: Path, datasets: int, rows: int) -> SwapProject:
    """Build the segments of so many datasets, and of the first one a second snapshot."""
    names = [f"usage_{number:03}" for number in range(datasets)]
    documents: Document = {
        "project": {"version": 1, "auth": "none"},
        "datasets": {f"datasets/{name}.yml": _dataset(name) for name in names},
        "endpoints": {
            f"endpoints/{name}_{kind}.yml": _endpoint(name, kind)
            for name in names
            for kind in _ENDPOINTS
        },
        "keys": None,
        "keys_file": None,
    }
    catalog, cache = parse_documents(documents), Cache(folder)
    table = _table(rows)
    entries = {name: _build(catalog, cache, name, "r0001", table) for name in names}
    others = {names[0]: _build(catalog, cache, names[0], "r0002", table)}
    return SwapProject(documents, cache, entries, others)


def _dataset(name: str) -> Document:
    schema = [{"name": column.name, "type": str(column.type)} for column in COLUMNS]
    return {"id": name, "schema": schema, "manifest": f"{name}/manifest.json"}


def _endpoint(dataset: str, kind: str) -> Document:
    query = _ENDPOINTS[kind]
    select = query.get("select") or [{"as": c.name, "column": c.name} for c in COLUMNS]
    filters = query["filters"]
    shape = {key: query[key] for key in ("group_by", "order_by") if key in query}
    return {
        "name": f"{dataset}_{kind}",
        "version": 1,
        "dataset": dataset,
        "params": [{"name": name, "type": of, "required": True} for name, _, of in filters],
        "query": {
            "select": select,
            "filters": [{"column": name, "op": op, "param": name} for name, op, _ in filters],
            **shape,
        },
        "columns": [item["as"] for item in select],
    }


def _build(
    catalog: Catalog, cache: Cache, name: str, snapshot_id: str, table: pa.Table
) -> Document:
    manifest = _manifest(name, snapshot_id, table.num_rows)
    plan = plan_parts(catalog, name, manifest)
    targets = targets_of(plan, lambda part_id: cache.part(name, part_id))
    times = (manifest.watermark, manifest.created_at)
    facts = SnapshotFacts(name, snapshot_id, manifest.digest, *times)
    build_segment([table], COLUMNS, None, targets, facts)
    return entry_of(catalog, name, manifest)


def _manifest(name: str, snapshot_id: str, rows: int) -> Manifest:
    file = {"path": "part.parquet", "format": "parquet", "row_count": rows, "size_bytes": 1000}
    document = {
        "dataset_id": name,
        "snapshot_id": snapshot_id,
        "created_at": "2026-06-01T00:01:00Z",
        "watermark": "2026-06-01T00:00:00Z",
        "schema": [{"name": c.name, "type": str(c.type)} for c in COLUMNS],
        "files": [file],
        "partition_columns": [],
        "sort_columns": [],
        "row_count": rows,
        "size_bytes": 1000,
        "producer": "bench",
        "upstream_run_id": "1",
        "schema_version": "1",
        "data_quality_status": "passed",
        "compatibility_policy": "additive_only",
    }
    return parse_manifest(json.dumps(document).encode(), "manifest.json")


def _table(rows: int) -> pa.Table:
    random = np.random.default_rng(20_260_601)

    def text(prefix: str, distinct: int) -> pa.Array:
        words = pa.array([f"{prefix}_{number:06d}" for number in range(distinct)])
        return words.take(pa.array(random.integers(0, distinct, rows)))

    days = random.integers(19_000, 19_730, rows).astype(np.int32)
    return pa.table(
        {
            "tenant": text("tenant", 50),
            "account": text("account", 500),
            "day": pa.array(days).cast(pa.date32()),
            "calls": random.integers(0, 10**9, rows),
            "cost": random.random(rows),
            "region": text("region", 12),
        }
    )
