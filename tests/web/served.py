"""The projects that the tests of both ports are served from, and the rows they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.projects import (
    USAGE_COLUMNS,
    UsageProject,
    key_document,
    publish,
    usage_dataset,
    usage_project,
    usage_rows,
    usage_table,
    write_project,
    write_yaml,
)
from tests.snapshots import publish_snapshot

ROWS = 1000
PICKED = "/v1/endpoints/usage_picked"
PLAIN = "/v1/endpoints/usage_rows"
GROUPED = "/v1/endpoints/usage_by_account"
BAD_TOKENS = {"revoked": "token-revoked", "expired": "token-expired"}
ROTATED_TOKEN = "token-rotated"
# Minutes; the services live for a while: `soon` stays within an hour of its end, and before it.
PUBLIC_WINDOWS = {"open": None, "fresh": 300, "soon": 69, "stale": 5}
WATERMARK_AGE_MINUTES = 10


def tenant_project(root: Path) -> UsageProject:
    """Write the usage project, an endpoint with every kind of param, and keys of every kind."""
    project = usage_project(root, rows=ROWS)
    write_yaml(root / "endpoints" / "usage_picked.yml", _picked("usage_picked"))
    write_yaml(root / "endpoints" / "usage_hidden.yml", _picked("usage_hidden"))
    keys = [_key(name, token, name) for name, token in project.tokens.items()]
    keys += [
        _key("revoked", BAD_TOKENS["revoked"], "tenant_0") | {"status": "revoked"},
        _key("expired", BAD_TOKENS["expired"], "tenant_0") | {"expires_at": "2026-01-01T00:00:00Z"},
        _key("rotated", ROTATED_TOKEN, "tenant_0") | {"expires_at": "2999-01-01T00:00:00Z"},
    ]
    write_yaml(root / "keys" / "keys.yml", {"keys": keys})
    return project


def slow_project(root: Path) -> UsageProject:
    """Write the usage project with so many rows that its build can be caught."""
    project = usage_project(root, rows=10)
    publish(project, pa.concat_tables([usage_table(ROWS)] * 400), "s0002")
    return project


def _key(key_id: str, token: str, tenant: str) -> dict[str, Any]:
    granted = ["usage_rows", "usage_by_account", "usage_picked"]
    return key_document(key_id, token, tenant) | {"endpoints": granted}


def _picked(name: str) -> dict[str, Any]:
    names = ["account_id", "region", "api_calls"]
    return {
        "name": name,
        "version": 3,
        "dataset": "usage",
        "tenant": {"column": "tenant_id"},
        "params": [
            {"name": "region", "type": "enum", "enum": ["eu", "us"], "aliases": {"europe": "eu"}},
            {"name": "account_id", "type": "string", "max_length": 20},
            {"name": "most", "type": "integer", "min": 0, "max": 900, "default": 100},
        ],
        "combinations": [["region"], ["region", "most"], ["account_id", "most"]],
        "query": {
            "select": [{"as": name, "column": name} for name in names],
            "filters": [
                {"column": "region", "op": "eq", "param": "region"},
                {"column": "account_id", "op": "eq", "param": "account_id"},
                {"column": "api_calls", "op": "lte", "param": "most"},
            ],
            "order_by": [{"column": "api_calls", "dir": "asc"}],
        },
        "columns": names,
    }


def public_project(root: Path) -> None:
    """Write a public project: one endpoint for each freshness window, data ten minutes old."""
    names = ["account_id", "api_calls"]
    shown = {column: usage_rows()[column] for column in ("version", "dataset")}
    query = {"select": [{"as": name, "column": name} for name in names]}
    endpoints: dict[str, Any] = {}
    for name, minutes in PUBLIC_WINDOWS.items():
        window = {"freshness": {"max_staleness_minutes": minutes}} if minutes else {}
        endpoints[name] = {"name": name, **shown, **window, "query": query, "columns": names}
    dataset = usage_dataset()
    del dataset["tenant_column"]
    write_project(root, datasets={"usage": dataset}, endpoints=endpoints)
    watermark = datetime.now(UTC) - timedelta(minutes=WATERMARK_AGE_MINUTES)
    publish_snapshot(
        root / "data" / "manifest.json",
        usage_table(20),
        dataset_id="usage",
        columns=USAGE_COLUMNS,
        snapshot_id="p0001",
        watermark=watermark.isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def rows_of(tenant: int, rows: int = ROWS, factor: int = 1) -> list[dict[str, Any]]:
    """Return a tenant's rows in the order of the source, as the answers show them."""
    table = usage_table(rows, factor=factor).to_pylist()
    return [_shown(row) for row in table if row["tenant_id"] == f"tenant_{tenant}"]


def newest_first(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of `usage_rows`: newest day first, then the source's order."""
    return sorted(rows, key=lambda row: str(row["usage_date"]), reverse=True)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    number = int(row["attributes"][7:-1])
    return {
        "account_id": row["account_id"],
        "usage_date": row["usage_date"].isoformat(),
        "region": row["region"],
        "api_calls": row["api_calls"],
        "storage_gb": row["storage_gb"],
        "amount": row["amount"],
        "updated_at": row["updated_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "attributes": {"row": number},
    }
