"""A valid manifest to break, one field at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.catalog.manifest import Manifest, ManifestInvalid, parse_manifest
from offloader.catalog.snapshot_codes import SNAPSHOT_CODES
from offloader.errors import Problem

COLUMNS = (("account_id", "VARCHAR"), ("amount", "DECIMAL(18,2)"), ("day", "DATE"))


def valid(**changes: Any) -> dict[str, Any]:
    """Return a valid manifest's document with the given fields replaced."""
    document: dict[str, Any] = {
        "dataset_id": "usage",
        "snapshot_id": "2026-06-01T00:00:00Z_r0007",
        "created_at": "2026-06-01T02:30:00.000001+02:30",
        "watermark": "2026-06-01T00:00:00Z",
        "schema": [{"name": name, "type": kind} for name, kind in COLUMNS],
        "files": [file("a.parquet", 2, 20), file("b/c.csv", 1, 10, format="csv")],
        "partition_columns": ["day"],
        "sort_columns": ["account_id", "day"],
        "row_count": 3,
        "size_bytes": 30,
        "producer": "nightly export",
        "upstream_run_id": "run/41",
        "schema_version": 3,
        "data_quality_status": "warning",
        "compatibility_policy": "additive_only",
    }
    return document | changes


def file(path: str, row_count: int = 0, size_bytes: int = 0, **more: Any) -> dict[str, Any]:
    """Return an entry of `files`."""
    entry = {"path": path, "format": "parquet", "row_count": row_count, "size_bytes": size_bytes}
    return entry | more


def parse(document: object) -> Manifest:
    """Parse a document as the bytes a producer would write."""
    return parse_manifest(json.dumps(document).encode(), "manifest.json")


def problems_of(raw: bytes) -> tuple[Problem, ...]:
    """Return the problems a manifest is refused with."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(raw, "manifest.json")
    assert {problem.code for problem in caught.value.problems} <= SNAPSHOT_CODES.keys()
    return caught.value.problems


def places_of(document: object) -> list[tuple[str, str]]:
    """Return (path, code) of each problem of a document, sorted by path."""
    return [(p.path, p.code) for p in problems_of(json.dumps(document).encode())]
