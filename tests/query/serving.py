"""Serve one endpoint from a few rows, without a server: query string in, body out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from offloader.catalog.model import Agg, Dataset, Endpoint, Filter, Order, Param, Select
from offloader.query.encode import encode_json, encode_ndjson
from offloader.query.execute import Result, estimate, run
from offloader.query.locate import locate
from offloader.query.located import Located
from offloader.query.params import Bound, bind, parse_query
from offloader.query.plan import Plan, compile_plan
from offloader.segment.access_path import derive_paths
from tests.segment.tables import Value, build, table


@dataclass(frozen=True, slots=True)
class Served:
    """A compiled endpoint and the ways a test asks it."""

    plan: Plan

    def bound(self, query: str = "") -> Bound:
        """Return the request that a query string binds."""
        return bind(self.plan.signature, parse_query(query.encode()))

    def body(self, query: str = "", tenant: str | None = None, *, stale: bool = False) -> bytes:
        """Return the JSON body of one request."""
        bound = self.bound(query)
        return encode_json(self.plan, bound, run(self.plan, bound, tenant), stale=stale)

    def ndjson(self, query: str = "", tenant: str | None = None) -> bytes:
        """Return the NDJSON body of one request."""
        bound = self.bound(query)
        return encode_ndjson(bound, run(self.plan, bound, tenant))

    def data(self, query: str = "", tenant: str | None = None) -> str:
        """Return the text of the body's `data` array."""
        text = self.body(query, tenant).decode()
        return text[len('{"data":') : text.rindex(',"meta":')]

    def rows(self, query: str = "", tenant: str | None = None) -> list[tuple[Any, ...]]:
        """Return the parsed rows as tuples, decimals exact."""
        rows = json.loads(self.data(query, tenant), parse_float=Decimal)
        return [tuple(row.values()) for row in rows]

    def result(self, query: str = "", tenant: str | None = None) -> Result:
        """Return the page of one request."""
        return run(self.plan, self.bound(query), tenant)

    def located(self, query: str = "", tenant: str | None = None) -> Located:
        """Return where one request's rows are."""
        return locate(self.plan, self.bound(query), tenant)

    def estimate(self, query: str = "", tenant: str | None = None) -> int:
        """Return how many rows one request reads."""
        return estimate(self.plan, self.bound(query), tenant)


def serve(
    contract: str,
    rows: Iterable[tuple[Value, ...]],
    *,
    select: str = "",
    where: Sequence[tuple[str, str, Param]] = (),
    group_by: str = "",
    order_by: str = "",
    tenant: str | None = None,
    paths: Sequence[tuple[str, ...]] | None = None,
    **fields: Any,
) -> Served:
    """Compile an endpoint over rows of a contract such as `day DATE, calls BIGINT`.

    `select` is like `day, calls sum total` (column, aggregate, alias; default: every column);
    `where` holds `(column, op, param)`; `order_by` is like `total desc, day`. `paths` replaces the
    access paths that the endpoint would get. Other fields are the Endpoint's.
    """
    source = table(contract, list(rows), tenant)
    items = tuple(map(_select, _split(select))) or tuple(
        Select(column.name, column.name) for column in source.columns
    )
    endpoint = Endpoint(
        name="usage",
        version=1,
        dataset="usage",
        select=items,
        columns=tuple(item.alias for item in items),
        tenant_column=tenant,
        params=tuple({param.name: param for _, _, param in where}.values()),
        filters=tuple(Filter(column, op, param.name) for column, op, param in where),  # type: ignore[arg-type]
        group_by=tuple(_split(group_by)),
        order_by=tuple(Order(t.split()[0], t.endswith(" desc")) for t in _split(order_by)),
        digest="e" * 32,
    )
    endpoint = replace(endpoint, **fields)
    dataset = Dataset("usage", source.columns, tenant_column=tenant, manifest="m.json")
    if paths is None:
        paths = [spec.columns for spec in derive_paths(dataset, [endpoint])]
    return Served(compile_plan(dataset, endpoint, build(source, paths)))


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _select(text: str) -> Select:
    column, *rest = text.split()
    agg: Agg | None = rest[0] if rest else None  # type: ignore[assignment]
    return Select(rest[1] if len(rest) > 1 else column, column, agg)
