"""Diagnostics tell of access paths: those there are, those there is no room for, who uses which."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from offloader.catalog.documents import load_catalog
from offloader.catalog.model import Catalog
from offloader.segment import path_choice
from offloader.segment.access_path import derive_paths
from offloader.service.worker.generation import Generation, Opened
from offloader.service.worker.path_status import path_status
from tests.projects import usage_project
from tests.segment.tables import Value, build, table

CONTRACT = (
    "tenant_id VARCHAR, account_id VARCHAR, usage_date DATE, region VARCHAR, api_calls BIGINT,"
    " storage_gb DOUBLE, amount DECIMAL(18,2), updated_at TIMESTAMP, attributes JSON"
)
ROWS: list[tuple[Value, ...]] = [
    (f"t{n % 2}", f"a{n % 3}", n, "eu", n, n / 4, n, n, "{}") for n in range(12)
]


def made_generation(catalog: Catalog, *, is_loaded: bool = True) -> Generation:
    """Return a generation over a few rows of the usage dataset."""
    dataset = catalog.datasets["usage"]
    paths = [spec.columns for spec in derive_paths(dataset, catalog.endpoints_of("usage"))]
    segment = build(table(CONTRACT, ROWS, "tenant_id"), paths)
    return Generation(
        number=1,
        catalog=catalog,
        endpoints={},
        keys={},
        snapshots={},
        segment_bytes={},
        rows={},
        opened={"usage": Opened((), segment, 0)} if is_loaded else {},
    )


def test_every_path_is_told(tmp_path: Path) -> None:
    """Its columns, how many of them are packed, its distinct keys and bytes, and its endpoints."""
    catalog = load_catalog(usage_project(tmp_path, rows=3).root)[0]
    shown = path_status(made_generation(catalog), "usage")
    by_columns = {tuple(path["columns"]): path for path in shown["access_paths"]}
    assert by_columns["tenant_id", "account_id", "usage_date"] == {
        "columns": ["tenant_id", "account_id", "usage_date"],
        "key_columns": ["tenant_id", "account_id", "usage_date"],
        "distinct_keys": 12,
        "bytes": 12 * (4 + 4),
        "endpoints": ["usage_by_account", "usage_rows"],
    }
    assert shown["dropped_access_paths"] == []
    assert shown["endpoint_paths"]["usage_by_account"] == [
        {"params": [], "path": ["tenant_id", "account_id", "region", "usage_date"]},
        {"params": ["account_id"], "path": ["tenant_id", "account_id", "region", "usage_date"]},
    ]
    assert {"params": ["region", "from_date"], "path": ["tenant_id", "region", "usage_date"]} in (
        shown["endpoint_paths"]["usage_rows"]
    )


def test_what_there_is_no_room_for_is_told(tmp_path: Path) -> None:
    """With the reason, and who would use it; its ways take what serves them next."""
    catalog = load_catalog(usage_project(tmp_path, rows=3).root)[0]
    with patch.multiple(path_choice, LEAST_PATHS=2, MOST_PATHS=2):
        shown = path_status(made_generation(catalog), "usage")
    kept = [path["columns"] for path in shown["access_paths"]]
    dropped = shown["dropped_access_paths"]
    assert (len(kept), len(dropped)) == (2, 2)
    assert {one["reason"] for one in dropped} == {"12 rows keep 2 paths, and this one helps least"}
    assert [one["endpoints"] for one in dropped] == [["usage_rows"], ["usage_rows"]]
    assert all(way["path"] in kept for way in shown["endpoint_paths"]["usage_rows"])


def test_nothing_is_told_before_the_first_segment(tmp_path: Path) -> None:
    """The fields are there, and empty; a dataset that is only about to be served has them too."""
    catalog = load_catalog(usage_project(tmp_path, rows=3).root)[0]
    generation = made_generation(catalog, is_loaded=False)
    empty: dict[str, object] = {
        "access_paths": [],
        "dropped_access_paths": [],
        "endpoint_paths": {},
    }
    assert [path_status(generation, name) for name in ("usage", "other")] == [empty, empty]
