"""Small real projects for tests: documents, data files and a manifest.

`usage_project` is a tenant-scoped project whose values follow from the row number, so that a
test can say exactly what an endpoint must answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from tests.snapshots import WATERMARK, FileFormat, publish_snapshot

Document = Mapping[str, Any]

USAGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("tenant_id", "VARCHAR"),
    ("account_id", "VARCHAR"),
    ("usage_date", "DATE"),
    ("region", "VARCHAR"),
    ("api_calls", "BIGINT"),
    ("storage_gb", "DOUBLE"),
    ("amount", "DECIMAL(18,2)"),
    ("updated_at", "TIMESTAMP"),
    ("attributes", "JSON"),
)
USAGE_ARROW_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("account_id", pa.string()),
        ("usage_date", pa.date32()),
        ("region", pa.string()),
        ("api_calls", pa.int64()),
        ("storage_gb", pa.float64()),
        ("amount", pa.decimal128(18, 2)),
        ("updated_at", pa.timestamp("us", tz="UTC")),
        ("attributes", pa.string()),
    ]
)
USAGE_ENDPOINTS = ("usage_by_account", "usage_rows")


@dataclass(frozen=True, slots=True)
class UsageProject:
    """A written project: `tokens` maps each tenant to its bearer token."""

    root: Path
    tokens: Mapping[str, str]
    manifest_path: Path

    def authorization(self, tenant: str) -> dict[str, str]:
        """Return the request header of one tenant's key."""
        return {"Authorization": f"Bearer {self.tokens[tenant]}"}


def write_project(
    root: Path,
    *,
    project: Document | None = None,
    datasets: Mapping[str, Document] | None = None,
    endpoints: Mapping[str, Document] | None = None,
    keys: Document | None = None,
) -> Path:
    """Write a project's documents as YAML under `root` and return `root`.

    `datasets` and `endpoints` map a file's stem to its document. Without `project` the
    `offloader.yml` names the keys file when there is one, else it is public.
    """
    access = {"keys": "keys/keys.yml"} if keys else {"auth": "none"}
    write_yaml(root / "offloader.yml", project or {"version": 1, **access})
    for folder, documents in (("datasets", datasets or {}), ("endpoints", endpoints or {})):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for stem, document in documents.items():
            write_yaml(root / folder / f"{stem}.yml", document)
    if keys:
        write_yaml(root / "keys" / "keys.yml", keys)
    return root


def write_yaml(path: Path, document: Document) -> None:
    """Write one document, keys in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")


def usage_project(root: Path, *, rows: int = 1000, tenants: int = 3) -> UsageProject:
    """Write a project with `rows` rows for the tenants `tenant_0`, `tenant_1` and so on."""
    names = [f"tenant_{number}" for number in range(tenants)]
    tokens = {name: f"test-token-{name}" for name in names}
    write_project(
        root,
        datasets={"usage": usage_dataset()},
        endpoints={"usage_rows": usage_rows(), "usage_by_account": usage_by_account()},
        keys={"keys": [key_document(name, token, name) for name, token in tokens.items()]},
    )
    project = UsageProject(root, tokens, root / "data" / "manifest.json")
    publish(project, usage_table(rows, tenants=tenants), "s0001")
    return project


def publish(
    project: UsageProject,
    table: pa.Table,
    snapshot_id: str,
    *,
    watermark: str = WATERMARK,
    files: int = 1,
    file_format: FileFormat = "parquet",
) -> None:
    """Publish `table` as a new snapshot of the usage dataset."""
    publish_snapshot(
        project.manifest_path,
        table,
        dataset_id="usage",
        columns=USAGE_COLUMNS,
        snapshot_id=snapshot_id,
        watermark=watermark,
        files=files,
        file_format=file_format,
    )


def usage_table(rows: int, *, tenants: int = 3, factor: int = 1) -> pa.Table:
    """Return `rows` rows whose values follow from the row number `i`.

    Tenant `i % tenants`; account `acct_` + `i // tenants % 5`; day `i % 30` of January 2026 from
    the 1st; region `eu` or `us` by turns, null where `i % 7 == 6`; `api_calls` is `i * factor`;
    `storage_gb` is `i / 4`; `amount` is `i` cents; `updated_at` is `i` seconds into 2026.
    """
    made = [_usage_row(number, tenants, factor) for number in range(rows)]
    return pa.Table.from_pylist(made, schema=USAGE_ARROW_SCHEMA)


def _usage_row(number: int, tenants: int, factor: int) -> dict[str, object]:
    return {
        "tenant_id": f"tenant_{number % tenants}",
        "account_id": f"acct_{number // tenants % 5}",
        "usage_date": date(2026, 1, 1) + timedelta(days=number % 30),
        "region": None if number % 7 == 6 else ("eu", "us")[number % 2],
        "api_calls": number * factor,
        "storage_gb": number / 4,
        "amount": Decimal(number).scaleb(-2),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        "attributes": f'{{"row":{number}}}',
    }


def usage_dataset() -> dict[str, Any]:
    """Return the dataset document of the usage project."""
    return {
        "id": "usage",
        "schema": [{"name": name, "type": kind} for name, kind in USAGE_COLUMNS],
        "tenant_column": "tenant_id",
        "manifest": "data/manifest.json",
    }


def usage_rows() -> dict[str, Any]:
    """Return an endpoint over plain rows: filters by account, region and day, newest first."""
    names = [name for name, _ in USAGE_COLUMNS if name != "tenant_id"]
    return {
        "name": "usage_rows",
        "version": 1,
        "dataset": "usage",
        "tenant": {"column": "tenant_id"},
        "params": [
            {"name": "account_id", "type": "string"},
            {"name": "region", "type": "enum", "enum": ["eu", "us"], "aliases": {"europe": "eu"}},
            {"name": "from_date", "type": "date"},
        ],
        "query": {
            "select": [{"as": name, "column": name} for name in names],
            "filters": [
                {"column": "account_id", "op": "eq", "param": "account_id"},
                {"column": "region", "op": "eq", "param": "region"},
                {"column": "usage_date", "op": "gte", "param": "from_date"},
            ],
            "order_by": [{"column": "usage_date", "dir": "desc"}],
        },
        "columns": names,
        "pagination": {"default_limit": 10, "max_limit": 500},
    }


def usage_by_account() -> dict[str, Any]:
    """Return an endpoint over groups: one row an account, with sums, a count and a maximum."""
    return {
        "name": "usage_by_account",
        "version": 1,
        "dataset": "usage",
        "tenant": {"column": "tenant_id"},
        "freshness": {"max_staleness_minutes": 120},
        "params": [{"name": "account_id", "type": "string"}],
        "query": {
            "select": [
                {"as": "account_id", "column": "account_id"},
                {"as": "api_calls_total", "column": "api_calls", "agg": "sum"},
                {"as": "amount_total", "column": "amount", "agg": "sum"},
                {"as": "row_total", "column": "account_id", "agg": "count"},
                {"as": "last_day", "column": "usage_date", "agg": "max"},
            ],
            "filters": [{"column": "account_id", "op": "eq", "param": "account_id"}],
            "group_by": ["account_id"],
            "order_by": [{"column": "account_id", "dir": "asc"}],
        },
        "columns": ["account_id", "api_calls_total", "amount_total", "row_total", "last_day"],
    }


def key_document(key_id: str, token: str, tenant: str | None) -> dict[str, Any]:
    """Return one active key's entry, granted both usage endpoints."""
    return {
        "id": f"key_{key_id}",
        "hash": token_hash(token),
        "tenant": tenant,
        "endpoints": list(USAGE_ENDPOINTS),
        "status": "active",
    }


def token_hash(token: str) -> str:
    """Return what a keys file holds of a bearer token."""
    return hashlib.sha256(token.encode()).hexdigest()
