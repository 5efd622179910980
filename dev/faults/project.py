"""The project that faults are tried on, and the exact bytes its endpoints must answer.

Every value of a snapshot follows from its number: a body that mixes two snapshots, or a contract
and another one's rows, equals no body that is expected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from offloader.catalog.documents import load_catalog
from offloader.catalog.manifest import parse_manifest
from offloader.catalog.model import Catalog
from offloader.query.cursor import asked_digest, cursor_head, write_cursor
from tests.projects import key_document, write_project
from tests.snapshots import publish_snapshot

COLUMNS = (("tenant", "VARCHAR"), ("id", "BIGINT"), ("number", "BIGINT"), ("note", "VARCHAR"))
TOKEN = "faults-token"
TENANT = "tenant_0"
TENANTS = 2
PAGE_ROWS = 10
_FIRST_WATERMARK = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset of the project: its name, and how many rows each of its snapshots has."""

    root: Path
    name: str
    rows: int

    @property
    def manifest_path(self) -> Path:
        """Where its manifest is published."""
        return self.root / "data" / self.name / "manifest.json"

    @property
    def targets(self) -> tuple[str, str]:
        """What is asked for: a page of plain rows, and a summary."""
        return tuple(f"/v1/endpoints/{name}" for name in _endpoint_names(self.name))  # type: ignore[return-value]

    def publish(self, number: int, *, rows: int | None = None) -> None:
        """Publish snapshot `number` as a producer does."""
        self.publish_table(table(self.rows if rows is None else rows, number), number)

    def publish_table(self, content: pa.Table, number: int, **more: Any) -> None:
        """Publish a table under the id and the watermark of snapshot `number`."""
        publish_snapshot(
            self.manifest_path,
            content,
            **{
                "dataset_id": self.name,
                "columns": COLUMNS,
                "snapshot_id": snapshot_id(number),
                "watermark": watermark(number),
                **more,
            },
        )

    def bodies(self, number: int) -> tuple[bytes, bytes]:
        """Return what each target must answer while snapshot `number` is served."""
        ids = range(0, self.rows, TENANTS)
        page = [{"id": row, "number": number, "note": note(row, number)} for row in ids[:PAGE_ROWS]]
        summary = [{"number": number, "row_total": len(ids), "last_id": ids[-1]}]
        cursor = _second_page(self, number) if len(ids) > PAGE_ROWS else None
        plain, grouped = _endpoint_names(self.name)
        return _body(plain, number, page, cursor), _body(grouped, number, summary, None)


def write(root: Path, datasets: Mapping[str, Mapping[str, Any]], *, rows: int) -> dict[str, Source]:
    """Write a project and the first snapshot of each of its datasets; return them by name.

    `datasets` maps a name to what its document says beside id, schema, tenant and manifest.
    """
    names = [endpoint for name in datasets for endpoint in _endpoint_names(name)]
    key = key_document("faults", TOKEN, TENANT) | {"endpoints": names}
    write_project(
        root,
        datasets={name: _dataset(name, more) for name, more in datasets.items()},
        endpoints={d["name"]: d for name in datasets for d in _endpoints(name)},
        keys={"keys": [key]},
    )
    sources = {name: Source(root, name, rows) for name in datasets}
    for source in sources.values():
        source.publish(1)
    return sources


def table(rows: int, number: int) -> pa.Table:
    """Return the rows of a snapshot, `id` from 0; every other one is the asking tenant's."""
    ids = np.arange(rows, dtype=np.int64)
    columns = {
        "tenant": pa.array([f"tenant_{row % TENANTS}" for row in range(rows)], pa.string()),
        "id": pa.array(ids),
        "number": pa.array(np.full(rows, number, dtype=np.int64)),
        "note": pa.array([note(row, number) for row in range(rows)], pa.string()),
    }
    return pa.table(columns)


def note(row: int, number: int) -> str:
    """Return a row's text, of which a segment's dictionary holds one for each row."""
    return f"note {row} of {number}"


def snapshot_id(number: int) -> str:
    """Return the id of a snapshot; ids are ordered as their numbers are."""
    return f"s{number:05d}"


def watermark(number: int) -> str:
    """Return the watermark of a snapshot, a second after the one before."""
    at = _FIRST_WATERMARK + timedelta(seconds=number)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def request(host: str, target: str) -> bytes:
    """Return the bytes of a request as the asking tenant sends it."""
    lines = (f"GET {target} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}", "", "")
    return "\r\n".join(lines).encode()


def _body(
    endpoint: str, number: int, shown: Sequence[Mapping[str, object]], cursor: str | None
) -> bytes:
    meta = {
        "endpoint": endpoint,
        "version": 1,
        "snapshot_id": snapshot_id(number),
        "row_count": len(shown),
        "limit": PAGE_ROWS,
        "offset": 0,
        "next_offset": PAGE_ROWS if cursor else None,
        "next_cursor": cursor,
        "serving_mode": "local_table",
        "freshness": {
            "watermark": watermark(number),
            "max_staleness_minutes": None,
            "stale": False,
        },
    }
    return json.dumps({"data": shown, "meta": meta}, separators=(",", ":")).encode()


@cache
def _second_page(source: Source, number: int) -> str:
    """Return the cursor of a snapshot's second page, before or after it is published.

    It names the manifest, so the same snapshot is published where nobody looks.
    """
    endpoint = _catalog(source.root).endpoints[_endpoint_names(source.name)[0]]
    with TemporaryDirectory() as folder:
        twin = replace(source, root=Path(folder))
        twin.publish(number)
        manifest = parse_manifest(twin.manifest_path.read_bytes(), twin.manifest_path.name)
    head = cursor_head(endpoint, manifest.digest)
    return write_cursor(head, asked_digest({}, endpoint.columns, TENANT), PAGE_ROWS)


@cache
def _catalog(root: Path) -> Catalog:
    """Return a written project's catalog; only its keys change while faults are tried."""
    return load_catalog(root)[0]


def _endpoint_names(dataset: str) -> tuple[str, str]:
    return f"{dataset}_rows", f"{dataset}_sums"


def _dataset(name: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "schema": [{"name": column, "type": kind} for column, kind in COLUMNS],
        "tenant_column": "tenant",
        "manifest": f"data/{name}/manifest.json",
        **more,
    }


def _endpoints(dataset: str) -> list[dict[str, Any]]:
    plain, grouped = _endpoint_names(dataset)
    shown = [{"as": name, "column": name} for name in ("id", "number", "note")]
    sums = [
        {"as": "number", "column": "number"},
        {"as": "row_total", "column": "id", "agg": "count"},
        {"as": "last_id", "column": "id", "agg": "max"},
    ]
    order = [{"column": "id", "dir": "asc"}]
    return [
        _endpoint(plain, dataset, {"select": shown, "order_by": order}),
        _endpoint(grouped, dataset, {"select": sums, "group_by": ["number"]}),
    ]


def _endpoint(name: str, dataset: str, query: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "version": 1,
        "dataset": dataset,
        "tenant": {"column": "tenant"},
        "query": dict(query),
        "columns": [output["as"] for output in query["select"]],
        "pagination": {"default_limit": PAGE_ROWS, "max_limit": 100},
    }
