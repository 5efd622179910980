"""Small projects as documents, and who may see which rows of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog
from offloader.service.composition import Composition, Documents, compose

COLUMNS = ("id", "acme", "shop")  # the last two may hold tenants
EVERYBODY = "everybody"

Rows = tuple[str, str] | None  # the tenant column and its value, None for all rows


def dataset(name: str, tenant: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return the document of a dataset."""
    schema = [{"name": column, "type": "VARCHAR"} for column in COLUMNS]
    scope = {"tenant_column": tenant} if tenant else {}
    return {"id": name, "schema": schema, "manifest": f"{name}.json", **scope, **changes}


def wider(document: dict[str, Any]) -> dict[str, Any]:
    """Return a contract that needs a build."""
    schema = [*document["schema"], {"name": "plan", "type": "VARCHAR"}]
    return {**document, "schema": schema}


def endpoint(name: str, of: str, tenant: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return the document of an endpoint over the ids of a dataset."""
    scope = {"tenant": {"column": tenant}} if tenant else {}
    query = {"select": [{"as": "id", "column": "id"}]}
    made = {"name": name, "version": 1, "dataset": of, "query": query, "columns": ["id"]}
    return {**made, **scope, **changes}


def key(name: str, tenant: str | None, *endpoints: str, **changes: Any) -> dict[str, Any]:
    """Return one key's entry."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    made = {"id": name, "hash": digest, "tenant": tenant, "endpoints": list(endpoints)}
    return {**made, "status": "active", **changes}


def documents(
    datasets: Sequence[Mapping[str, Any]],
    endpoints: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] | None = None,
) -> Documents:
    """Return a project; without `keys` it is public. Files are named after what they hold."""
    access = {"auth": "none"} if keys is None else {"keys": "keys/keys.yml"}
    made = {
        "project": {"version": 1, **access},
        "datasets": {f"datasets/{one['id']}.yml": one for one in datasets},
        "endpoints": {f"endpoints/{one['name']}.yml": one for one in endpoints},
        "keys": None if keys is None else {"keys": list(keys)},
        "keys_file": None if keys is None else "keys/keys.yml",
    }
    parse_documents(made)  # a test is to begin with projects that are fine
    return made


def composed(desired: Documents, served: Documents, *held: str) -> Composition:
    """Compose two projects; what comes of it must be a project."""
    made = compose(desired, parse_documents(desired), served, held)
    assert made.catalog == parse_documents(made.documents)
    return made


def callers(catalog: Catalog, name: str, at: float = 0.0) -> dict[str, Rows]:
    """Return by the hash of its key who may call an endpoint, and which rows that one sees.

    `at` is in seconds since the epoch.
    """
    tenant_column = catalog.endpoints[name].tenant_column
    if not catalog.auth_required:
        return {EVERYBODY: _rows(tenant_column, None)}
    return {
        one.hash: _rows(tenant_column, one.tenant)
        for one in catalog.keys
        if name in one.endpoints and one.is_active and at < (one.expires_at or math.inf)
    }


def grants(made: Composition) -> dict[str, list[str]]:
    """Return the endpoints granted to each key, by its id."""
    keys = (made.documents["keys"] or {"keys": []})["keys"]
    return {one["id"]: one["endpoints"] for one in keys}


def access(catalog: Catalog, at: float = 0.0) -> Iterator[tuple[str, str, Rows]]:
    """Yield every endpoint with a caller and the rows that one sees, as `callers`."""
    for name in catalog.endpoints:
        for caller, rows in callers(catalog, name, at).items():
            yield name, caller, rows


def _rows(tenant_column: str | None, tenant: str | None) -> Rows:
    # Without a tenant a scoped endpoint would answer with every tenant's rows: never allowed.
    return None if tenant_column is None else (tenant_column, tenant or "*")


# `usage` is of tenants, `rates` is not; each has an endpoint.
USAGE, RATES = dataset("usage", "acme"), dataset("rates")
ROWS, PRICES = endpoint("rows", "usage", "acme"), endpoint("prices", "rates")
KEYS = (key("k1", "t1", "rows", "prices"), key("k2", None, "prices"))
BEFORE = documents([USAGE, RATES], [ROWS, PRICES], KEYS)
