"""A project with every type of column and param, and the rows that it serves.

Row `i` of eight has the account `a` and `i // 2`, and values that follow from `i`; row 3 is null
wherever it may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.http_replies import Reply
from tests.projects import key_document, write_project
from tests.service_process import Running
from tests.snapshots import publish_snapshot

TOKEN = "test-token-documented"
TENANT = "tenant-that-nobody-tells"
ROWS = 8
COLUMNS = {
    "tenant_id": "VARCHAR",
    "account": "VARCHAR",
    "seats": "INTEGER",
    "calls": "BIGINT",
    "ratio": "DOUBLE",
    "amount": "DECIMAL(18,2)",
    "is_paid": "BOOLEAN",
    "day": "DATE",
    "seen_at": "TIMESTAMP",
    "extra": "JSON",
}
SHOWN = tuple(name for name in COLUMNS if name != "tenant_id")
NOT_NULL = ("tenant_id", "account", "calls")
_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("account", pa.string()),
        ("seats", pa.int32()),
        ("calls", pa.int64()),
        ("ratio", pa.float64()),
        ("amount", pa.decimal128(18, 2)),
        ("is_paid", pa.bool_()),
        ("day", pa.date32()),
        ("seen_at", pa.timestamp("us", tz="UTC")),
        ("extra", pa.string()),
    ]
)
PARAMS: list[dict[str, Any]] = [
    {"name": "account", "type": "string", "max_length": 20},
    {"name": "accounts", "type": "string", "max_length": 20},
    {"name": "plan", "type": "enum", "enum": ["a0", "a1"], "aliases": {"first": "a0"}},
    {"name": "seats", "type": "integer", "min": 0, "max": 100},
    {"name": "least", "type": "integer", "default": 0, "aliases": {"none": "0"}},
    {"name": "ratio", "type": "number", "min": 0},
    {"name": "is_paid", "type": "boolean"},
    {"name": "from_day", "type": "date", "min": "2026-01-01"},
    {"name": "until", "type": "timestamp"},
]
_FILTERS = (
    ("account", "eq", "account"),
    ("account", "in", "accounts"),
    ("account", "eq", "plan"),
    ("seats", "eq", "seats"),
    ("calls", "gte", "least"),
    ("ratio", "gte", "ratio"),
    ("is_paid", "eq", "is_paid"),
    ("day", "gte", "from_day"),
    ("seen_at", "lt", "until"),
)


@dataclass(frozen=True, slots=True)
class Documented:
    """The service of the project."""

    service: Running

    def ask(self, target: str, **headers: str) -> Reply:
        """Ask the API with the key."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.service.ask(target, {"Authorization": f"Bearer {TOKEN}", **sent})


def documented_project(root: Path) -> Path:
    """Write the project and publish its rows; return `root`."""
    dataset = {
        "id": "usage",
        "description": "Usage by account and day",
        "schema": [{"name": name, "type": kind} for name, kind in COLUMNS.items()],
        "tenant_column": "tenant_id",
        "manifest": "data/manifest.json",
        "guards": {"not_null": list(NOT_NULL)},
    }
    endpoints = {"picked": picked(), "rows": rows(), "totals": totals(), "whole": whole()}
    key = key_document("documented", TOKEN, TENANT) | {"endpoints": list(endpoints)}
    write_project(root, datasets={"usage": dataset}, endpoints=endpoints, keys={"keys": [key]})
    publish_snapshot(
        root / "data" / "manifest.json",
        pa.Table.from_pylist([_row(number) for number in range(ROWS)], schema=_SCHEMA),
        dataset_id="usage",
        columns=list(COLUMNS.items()),
        snapshot_id="s0001",
    )
    return root


def rows() -> dict[str, Any]:
    """Return the endpoint with every column and every type of param."""
    return {
        **_head("rows"),
        "owner": "growth",
        "description": "Every row & every <param>",
        "freshness": {"max_staleness_minutes": 90},
        "params": PARAMS,
        "query": {
            "select": [{"as": name, "column": name} for name in SHOWN],
            "filters": [{"column": c, "op": op, "param": p} for c, op, p in _FILTERS],
            "order_by": [{"column": "calls", "dir": "asc"}],
        },
        "columns": list(SHOWN),
        "pagination": {"default_limit": 5, "max_limit": 6},
    }


def picked() -> dict[str, Any]:
    """Return an endpoint with combinations, and a default that none of them lets a caller send."""
    return {
        **_head("picked"),
        "params": [
            {"name": "account", "type": "string", "required": True},
            {"name": "least", "type": "integer", "default": 1},
            {"name": "most", "type": "integer"},
        ],
        "combinations": [["account", "most"], ["account"]],
        "query": {
            "select": [{"as": "calls", "column": "calls"}],
            "filters": [
                {"column": "account", "op": "eq", "param": "account"},
                {"column": "calls", "op": "gte", "param": "least"},
                {"column": "calls", "op": "lte", "param": "most"},
            ],
        },
        "pagination": {"max_limit": 3},
    }


def totals() -> dict[str, Any]:
    """Return an endpoint over groups, with every aggregate."""
    aggregates = [
        ("calls_sum", "calls", "sum"),
        ("seats_sum", "seats", "sum"),
        ("amount_sum", "amount", "sum"),
        ("ratio_sum", "ratio", "sum"),
        ("calls_avg", "calls", "avg"),
        ("last_day", "day", "max"),
        ("first_seen", "seen_at", "min"),
        ("days", "day", "count"),
        ("plans", "is_paid", "count_distinct"),
    ]
    select = [{"as": alias, "column": column, "agg": agg} for alias, column, agg in aggregates]
    return {
        **_head("totals"),
        "query": {
            "select": [{"as": "account", "column": "account"}, *select],
            "group_by": ["account"],
            "order_by": [{"column": "account", "dir": "asc"}],
        },
    }


def whole() -> dict[str, Any]:
    """Return an endpoint of one total, which is null when no row is left."""
    return {
        **_head("whole"),
        "params": [{"name": "account", "type": "string"}],
        "query": {
            "select": [
                {"as": "calls_sum", "column": "calls", "agg": "sum"},
                {"as": "rows", "column": "calls", "agg": "count"},
            ],
            "filters": [{"column": "account", "op": "eq", "param": "account"}],
        },
    }


def _head(name: str) -> dict[str, Any]:
    return {"name": name, "version": 2, "dataset": "usage", "tenant": {"column": "tenant_id"}}


def _row(number: int) -> dict[str, object]:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    row: dict[str, object] = {
        "tenant_id": TENANT,
        "account": f"a{number // 2}",
        "seats": number,
        "calls": number,
        "ratio": number / 4,
        "amount": Decimal(number).scaleb(-2),
        "is_paid": number % 2 == 0,
        "day": date(2026, 1, 1) + timedelta(days=number),
        "seen_at": moment,
        "extra": f'{{"row": {number}}}',
    }
    if number == 3:
        return {name: row[name] if name in NOT_NULL else None for name in row}
    return row
