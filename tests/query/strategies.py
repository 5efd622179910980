"""Hypothesis strategies for whole scenarios: a table, an endpoint's document, requests to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from offloader.catalog.column_check import LIST_TYPES, PARAM_TYPES_OF
from offloader.catalog.model import Column, FilterOp
from offloader.catalog.types import ColumnType, Kind
from tests.query.made_tables import make_table, make_value, stored_values, table_column
from tests.query.param_text import fits, sent_text
from tests.segment.tables import Table

_AGGS = ("sum", "avg", "min", "max", "count", "count_distinct")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A case and requests to it; its `seed` makes it again."""

    seed: int
    case: Case
    requests: tuple[Request, ...]

    def __repr__(self) -> str:
        return f"make_scenario({self.seed}, {len(self.requests)})"


@dataclass(frozen=True, slots=True)
class Case:
    """A table in files cut at `cuts`, and the documents of a dataset and an endpoint over it."""

    table: Table
    cuts: tuple[int, ...]
    dataset: Mapping[str, Any]
    endpoint: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """Decoded pairs to send, and the tenant of the key that sends them."""

    pairs: tuple[tuple[str, str], ...]
    tenant: str | None


def scenarios(request_count: int) -> st.SearchStrategy[Scenario]:
    """A case and requests to it, all made from one drawn seed.

    One draw an example keeps Hypothesis from spending its examples on repeats of parts of others:
    each example is a new table, endpoint and list of requests.
    """
    return st.integers(0, 2**64 - 1).map(lambda seed: make_scenario(seed, request_count))


def make_scenario(seed: int, request_count: int) -> Scenario:
    """Make the scenario of a seed, the same every time."""
    pick = Random(seed)
    case = make_case(pick)
    return Scenario(seed, case, tuple(make_request(pick, case) for _ in range(request_count)))


def make_case(pick: Random) -> Case:
    """Make a table and a valid endpoint over it: plain rows, one aggregate row, or groups."""
    table = make_table(pick)
    filterable = [
        c for c in table.columns if c.type.kind is not Kind.JSON and c.name != table.tenant_column
    ]
    names = [f"p{number}" for number in range(pick.choice([0, 1, 2, 2, 3]) if filterable else 0)]
    used = [filtered_param(pick, name, pick.choice(filterable), table) for name in names]
    query = pick.choice([plain_query, aggregate_query])(pick, table)
    max_limit = pick.choice([1, 5, 40, 100])
    endpoint: dict[str, Any] = {
        "name": "asked",
        "version": 3,
        "dataset": "made",
        "params": [param for param, _ in used],
        "query": {**query, "filters": [item for _, item in used]},
        "columns": _some(pick, [item["as"] for item in query["select"]]),
        "pagination": {"default_limit": min(max_limit, 20), "max_limit": max_limit},
    }
    dataset: dict[str, Any] = {
        "id": "made",
        "schema": [{"name": c.name, "type": str(c.type)} for c in table.columns],
        "manifest": "made/manifest.json",
    }
    if table.tenant_column:
        endpoint["tenant"] = {"column": table.tenant_column}
        dataset["tenant_column"] = table.tenant_column
    cuts = tuple(pick.randrange(120) for _ in range(pick.randrange(3)))
    return Case(table, cuts, dataset, endpoint)


def filtered_param(
    pick: Random, name: str, column: Column, table: Table
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose a param and its filter: any operator that the column's type has."""
    kind = pick.choice(PARAM_TYPES_OF[column.type.kind])
    ops: list[FilterOp] = ["eq", "eq", "eq", "ne"]  # mostly look-ups, as endpoints are
    if column.type.kind is not Kind.BOOLEAN:
        ops += ["gt", "gte", "lt", "lte"]
    if column.type.kind is Kind.VARCHAR:
        ops.append("prefix")
    if kind in LIST_TYPES:
        ops.append("in")
    param: dict[str, Any] = {"name": name, "type": kind}
    if kind == "enum":
        stored = sorted({str(v) for v in stored_values(table, column) if v and "," not in str(v)})
        param["enum"] = ["zzz", *stored]
        if pick.random() < 0.5:
            param["aliases"] = {"the alias": pick.choice(param["enum"])}
        if pick.random() < 0.5:
            param["default"] = pick.choice(param["enum"])
    return param, {"column": column.name, "op": pick.choice(ops), "param": name}


def plain_query(pick: Random, table: Table) -> dict[str, Any]:
    """Choose a select of plain columns, some twice, and an order by up to three of them."""
    columns = [pick.choice(table.columns) for _ in range(pick.randint(1, 5))]
    select = [{"as": f"a{place}", "column": c.name} for place, c in enumerate(columns)]
    sortable = [f"a{place}" for place, c in enumerate(columns) if c.type.kind is not Kind.JSON]
    return {"select": select, "order_by": _order(pick, sortable)}


def aggregate_query(pick: Random, table: Table) -> dict[str, Any]:
    """Choose groups by up to three columns with up to four aggregates, and an order.

    Averages and sums of doubles do not order rows: their last bit may differ in the oracle.
    """
    keys = [c.name for c in table.columns if c.type.kind is not Kind.JSON]
    grouped = [pick.choice(keys) for _ in range(pick.choice([0, 1, 1, 2, 3]))] if keys else []
    group_by = [f"g{place}" for place in range(len(grouped))]
    select: list[dict[str, Any]] = [
        {"as": alias, "column": name} for alias, name in zip(group_by, grouped, strict=True)
    ]
    sortable = list(group_by)
    for place in range(pick.randint(0 if grouped else 1, 4)):
        column = pick.choice(table.columns)
        agg = pick.choice(_aggs_of(column.type))
        select.append({"as": f"a{place}", "column": column.name, "agg": agg})
        if agg != "avg" and (agg != "sum" or column.type.kind is not Kind.DOUBLE):
            sortable.append(f"a{place}")
    query: dict[str, Any] = {"select": select, "order_by": _order(pick, sortable)}
    return query | ({"group_by": group_by} if group_by else {})


def make_request(pick: Random, case: Case) -> Request:
    """Make a valid request: any params, page and columns, for a tenant that may not exist."""
    pairs: dict[str, str] = {}
    by_param = {item["param"]: item for item in case.endpoint["query"]["filters"]}
    for param in case.endpoint["params"]:
        if pick.random() < 0.6:
            pairs[param["name"]] = param_text(pick, param, by_param[param["name"]], case.table)
    if pick.random() < 0.5:
        pairs["limit"] = str(pick.randint(1, case.endpoint["pagination"]["max_limit"]))
    if pick.random() < 0.3:
        pairs["offset"] = str(pick.choice([0, 1, 2, 3, 5, 10, 20, 1000]))
    if pick.random() < 0.4:
        pairs["columns"] = ",".join(_some(pick, case.endpoint["columns"]))
    tenant = None
    if case.table.tenant_column:
        present = [str(v) for v in stored_values(case.table, case.table.columns[0])]
        tenant = pick.choice([*present, *present, *present, "nobody"])
    return Request(tuple(pairs.items()), tenant)


def param_text(
    pick: Random, param: Mapping[str, Any], used_by: Mapping[str, Any], table: Table
) -> str:
    """Choose what a caller sends for a param: stored values as a rule, else any of the type."""
    kind, column = param["type"], table_column(table, used_by["column"])
    if kind == "enum":
        pool = [*param["enum"], *param.get("aliases", {})]
    else:
        stored = stored_values(table, column)
        fresh = [make_value(pick, column.type) for _ in range(1 + len(stored) // 3)]
        found = [v for v in (*stored, *fresh) if fits(column.type, kind, v)]
        pool = [sent_text(column.type, kind, v) for v in found] or ["0"]
    if used_by["op"] != "in":
        return str(pick.choice(pool))
    items = [item for item in pool if item and "," not in item] or ["0"]
    return ",".join(pick.choices(items, k=pick.randint(1, 4)))


def _aggs_of(column_type: ColumnType) -> tuple[str, ...]:
    if column_type.kind is Kind.JSON:
        return ("count",)
    return _AGGS if column_type.is_number else _AGGS[2:]


def _some(pick: Random, names: Sequence[str]) -> list[str]:
    return pick.sample(names, pick.randint(1, len(names)))


def _order(pick: Random, aliases: Sequence[str]) -> list[dict[str, str]]:
    chosen = pick.sample(aliases, min(len(aliases), pick.choice([0, 1, 1, 2, 3])))
    return [{"column": alias, "dir": pick.choice(["asc", "desc"])} for alias in chosen]
