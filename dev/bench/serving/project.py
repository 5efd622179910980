"""The service's project for these measurements: three datasets, eight endpoints, 501 keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.bench.serving.snapshots import TENANTS
from dev.bench.serving.works import QUESTIONS

_Document = dict[str, Any]
_SUMS = [("calls", "calls", "sum"), ("accounts", "account", "count")]
_LARGEST = [("cost", "cost", "max"), ("last_day", "day", "max")]
_ENDPOINTS: Mapping[str, _Document] = {
    "usage_of_account": {
        "select": ["account", "day", "calls", "cost", "region"],
        "order_by": [("day", "asc")],
    },
    "usage_total": {"select": [*_SUMS, *_LARGEST]},
    "usage_total_cached": {"select": [*_SUMS, *_LARGEST], "cache": "snapshot"},
    "usage_by_region": {
        "select": ["region", *_SUMS, *_LARGEST],
        "group_by": ["region"],
        "order_by": [("region", "asc")],
    },
    "top_accounts": {
        "select": ["account", ("calls", "calls", "sum"), ("last_day", "day", "max")],
        "group_by": ["account"],
        "order_by": [("calls", "desc")],
    },
    "order_lines": {"select": ["order_id", "lines"]},
    "flights_by_route": {
        "select": [
            *("time_hour", "carrier", "flight", "tailnum"),
            *("dep_time", "dep_delay", "arr_delay", "distance"),
        ],
        "order_by": [("time_hour", "asc")],
    },
    "flights_by_carrier": {
        "select": [
            "carrier",
            ("flights", "flight_date", "count"),
            ("delay_avg", "dep_delay", "avg"),
            ("delay_max", "dep_delay", "max"),
            ("distance", "distance", "sum"),
        ],
        "group_by": ["carrier"],
        "order_by": [("flights", "desc")],
    },
}


def token_of(tenant: int) -> str:
    """Return a tenant's token; -1 names the key that belongs to no tenant."""
    return f"bench-token-{tenant:06d}-{hashlib.sha256(b'%d' % tenant).hexdigest()[:20]}"


def tokens() -> dict[str, str | None]:
    """Return every token with its tenant, as a peer checks keys."""
    known: dict[str, str | None] = {token_of(n): f"tenant_{n:06d}" for n in range(TENANTS)}
    return {token_of(-1): None, **known}


def write_project(root: Path, snapshots: Path, datasets: Sequence[str]) -> Path:
    """Write the project that serves `datasets`, whose snapshots are linked; return its root."""
    root.mkdir()
    for name in ("datasets", "endpoints", "keys"):
        (root / name).mkdir()
    for name in datasets:
        _link_files(snapshots / name, root / name)
        manifest = json.loads((root / name / "manifest.json").read_text())
        document: _Document = {
            "id": name,
            "schema": manifest["schema"],
            "manifest": f"{name}/manifest.json",
        }
        if name != "flights":
            document["tenant_column"] = "tenant"
        _write(root / "datasets" / f"{name}.yml", document)
    served = [name for name, question in QUESTIONS.items() if question.table in datasets]
    for name in served:
        _write(root / "endpoints" / f"{name}.yml", _endpoint(name))
    _write(root / "keys" / "keys.yml", {"keys": [_key(token, t, served) for token, t in _pairs()]})
    _write(root / "offloader.yml", {"version": 1, "keys": "keys/keys.yml"})
    return root


def _pairs() -> Sequence[tuple[str, str | None]]:
    return list(tokens().items())


def _key(token: str, tenant: str | None, served: Sequence[str]) -> _Document:
    granted = [n for n in served if tenant is not None or not QUESTIONS[n].is_tenants]
    return {
        "id": tenant or "everyone",
        "hash": hashlib.sha256(token.encode()).hexdigest(),
        "tenant": tenant,
        "endpoints": granted,
        "status": "active",
    }


def _endpoint(name: str) -> _Document:
    question, shape = QUESTIONS[name], _ENDPOINTS[name]
    select = [_output(output) for output in shape["select"]]
    query: _Document = {
        "select": select,
        "filters": [{"column": p, "op": "eq", "param": p} for p in question.params],
        "order_by": [{"column": c, "dir": d} for c, d in shape.get("order_by", ())],
    }
    if "group_by" in shape:
        query["group_by"] = shape["group_by"]
    document: _Document = {
        "name": name,
        "version": 1,
        "dataset": question.table,
        "params": [{"name": p, "type": "string", "required": True} for p in question.params],
        "query": query,
        "columns": [output["as"] for output in select],
        "pagination": {"default_limit": question.limit, "max_limit": 100},
        "cache": {"policy": shape.get("cache", "none")},
    }
    if question.is_tenants:
        document["tenant"] = {"column": "tenant"}
    return document


def _output(output: str | tuple[str, str, str]) -> dict[str, str]:
    if isinstance(output, str):
        return {"as": output, "column": output}
    name, column, agg = output
    return {"as": name, "column": column, "agg": agg}


def _link_files(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).hardlink_to(path)


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.write_text(json.dumps(document))  # JSON is YAML too
