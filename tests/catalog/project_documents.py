"""A small valid project that uses every field, and one way to change it."""

from __future__ import annotations

from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.errors import ConfigError, Problem

Documents = dict[str, Any]
Place = tuple[str | int, ...]
Found = list[tuple[str, str, str]]
Refusal = tuple[str, Place, object, Found]

DELETE = object()
PROJECT, USAGE, FLIGHTS = "offloader.yml", "datasets/usage.yml", "datasets/flights.yml"
SUMMARY, ROWS, KEYS = "endpoints/summary.yml", "endpoints/rows.yml", "keys/keys.yml"
HASH_1, HASH_2 = "0" * 63 + "1", "0" * 63 + "2"

COLUMNS = {
    "tenant_id": "VARCHAR",
    "account": "VARCHAR",
    "day": "DATE",
    "seen_at": "TIMESTAMP",
    "calls": "BIGINT",
    "ratio": "DOUBLE",
    "amount": "DECIMAL(18,2)",
    "is_paid": "BOOLEAN",
    "extra": "JSON",
}


def valid_documents() -> Documents:
    """Return the documents of a valid project; every field of every file is used."""
    return {
        "project": {
            "version": 1,
            "datasets_dir": "datasets",
            "endpoints_dir": "endpoints",
            "keys": KEYS,
            "auth": "required",
            "object_store_mode": "local",
        },
        "datasets": {USAGE: _usage(), FLIGHTS: _flights()},
        "endpoints": {SUMMARY: _summary(), ROWS: _rows()},
        "keys": {"keys": _keys()},
        "keys_file": KEYS,
    }


def public_documents() -> Documents:
    """Return the documents of a valid project that anyone may call."""
    documents = valid_documents()
    rows = {**_rows(), "dataset": "flights"}
    del rows["tenant"]
    documents["project"] = {"version": 1, "auth": "none"}
    return {**documents, "endpoints": {ROWS: rows}, "keys": None, "keys_file": None}


def with_change(documents: Documents, file: str, place: Place, value: object) -> Documents:
    """Set (or DELETE) the value at `place` of one file, in place; return the documents.

    An index one past the end of a list appends; an empty place replaces the whole file.
    """
    if not place:
        _holder(documents, file)[_key(file)] = value
        return documents
    target = _holder(documents, file)[_key(file)]
    for step in place[:-1]:
        target = target[step]
    last = place[-1]
    if value is DELETE:
        del target[last]
    elif isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return documents


def one(file: str, place: Place, value: object, path: str, code: str) -> Refusal:
    """Return a change and the single problem it makes."""
    return file, place, value, [(file, path, code)]


def problems_of(documents: Documents) -> tuple[Problem, ...]:
    """Return every problem, sorted; none for a valid project."""
    try:
        parse_documents(documents)
    except ConfigError as error:
        return error.problems
    return ()


def found_in(documents: Documents) -> Found:
    """Return file, path and code of every problem, sorted."""
    return [(problem.file, problem.path, problem.code) for problem in problems_of(documents)]


def _holder(documents: Documents, file: str) -> Any:
    if file in (PROJECT, KEYS):
        return documents
    return documents["datasets" if file.startswith("datasets/") else "endpoints"]


def _key(file: str) -> str:
    return {PROJECT: "project", KEYS: "keys"}.get(file, file)


def _schema() -> list[dict[str, Any]]:
    return [{"name": name, "type": kind} for name, kind in COLUMNS.items()]


def _usage() -> dict[str, Any]:
    return {
        "id": "usage",
        "description": "Calls by account and day",
        "schema": _schema(),
        "tenant_column": "tenant_id",
        "manifest": "data/manifest.json",
        "refresh": {"interval_seconds": 5},
        "required": True,
        "guards": {
            "min_rows": 1,
            "max_row_drop_percent": 50,
            "max_row_growth_percent": 200.5,
            "max_age_minutes": 1440,
            "unique": ["account", "day"],
            "not_null": ["tenant_id"],
        },
        "pin": "2026-06-01T00:00:00Z_r0007",
    }


def _flights() -> dict[str, Any]:
    source = {"type": "databricks", "bucket": "gs://lake", "prefix": "out", "interval_seconds": 60}
    return {"id": "flights", "schema": _schema(), "source": source, "required": False}


def _summary() -> dict[str, Any]:
    return {
        "name": "summary",
        "version": 2,
        "dataset": "usage",
        "owner": "analytics",
        "description": "Totals by account",
        "serving_mode": "local_table",
        "tenant": {"column": "tenant_id"},
        "freshness": {"max_staleness_minutes": 120},
        "params": [
            {"name": "account", "type": "string", "required": True, "max_length": 32},
            {
                "name": "plan",
                "type": "enum",
                "enum": ["free", "pro"],
                "default": "pro",
                "aliases": {"paid": "pro"},
            },
            {"name": "from_day", "type": "date", "min": "2020-01-01", "max": "2030-12-31"},
            {"name": "least", "type": "integer", "default": 0, "min": 0, "max": 1000},
            {"name": "ratios", "type": "number"},
        ],
        "combinations": [["account"], ["account", "from_day", "ratios"], ["account", "plan"]],
        "query": {
            "select": [
                {"as": "account", "column": "account"},
                {"as": "total", "column": "calls", "agg": "sum"},
                {"as": "extras", "column": "extra", "agg": "count"},
            ],
            "filters": [
                {"column": "account", "op": "eq", "param": "account"},
                {"column": "account", "op": "ne", "param": "plan"},
                {"column": "day", "op": "gte", "param": "from_day"},
                {"column": "calls", "op": "gt", "param": "least"},
                {"column": "ratio", "op": "in", "param": "ratios"},
            ],
            "group_by": ["account"],
            "order_by": [{"column": "total", "dir": "desc"}, {"column": "account"}],
        },
        "columns": ["total", "account"],
        "pagination": {"default_limit": 20, "max_limit": 200},
        "cache": {"policy": "snapshot"},
    }


def _rows() -> dict[str, Any]:
    return {
        "name": "rows",
        "version": 1,
        "dataset": "usage",
        "tenant": {"column": "tenant_id"},
        "params": [
            {"name": "is_paid", "type": "boolean"},
            {"name": "since", "type": "timestamp", "min": "2020-01-01T00:00:00Z"},
            {"name": "begins", "type": "string"},
        ],
        "query": {
            "select": [
                {"as": "account", "column": "account"},
                {"as": "calls", "column": "calls"},
                {"as": "extra", "column": "extra"},
            ],
            "filters": [
                {"column": "is_paid", "op": "eq", "param": "is_paid"},
                {"column": "seen_at", "op": "gte", "param": "since"},
                {"column": "account", "op": "prefix", "param": "begins"},
            ],
        },
    }


def _keys() -> list[dict[str, Any]]:
    return [
        {
            "id": "acme_2026",
            "hash": HASH_1,
            "tenant": "acme",
            "endpoints": ["summary", "rows"],
            "status": "active",
            "expires_at": "2030-01-01T00:00:00Z",
        },
        {"id": "ops", "hash": HASH_2, "tenant": None, "endpoints": [], "expires_at": None},
    ]
