"""DuckDB as the oracle: the contract's semantics in SQL, over the same Parquet files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from offloader.catalog.model import Endpoint, Filter, Select
from offloader.catalog.types import Kind
from tests.query.made_tables import table_column
from tests.query.param_text import comparable, literal
from tests.segment.tables import Table

Row = tuple[Any, ...]
_SQL_OPS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Oracle:
    """One DuckDB connection that holds one table, `t`, with its source row numbers."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})

    def load(self, table: Table, files: Sequence[Path]) -> None:
        """Read a table's files: NaN and infinities become null, timestamps UTC without zone."""
        columns = ", ".join(_loaded(c.name, c.type.kind) for c in table.columns)
        parts = [
            f"SELECT {columns}, {number} AS file, file_row_number AS place "
            f"FROM read_parquet('{path}', file_row_number=true)"
            for number, path in enumerate(files)
        ]
        self.connection.execute(f"CREATE OR REPLACE TABLE t AS {' UNION ALL '.join(parts)}")

    def rows(
        self, table: Table, endpoint: Endpoint, values: Mapping[str, str], tenant: str | None
    ) -> list[Row]:
        """Return every row of an answer, all aliases in select order, without a page's limit.

        `values` are the bound params' texts, lists comma-separated.
        """
        sql = _sql(table, endpoint, values, tenant)
        return [tuple(map(_finite, row)) for row in self.connection.execute(sql).fetchall()]


def _sql(table: Table, endpoint: Endpoint, values: Mapping[str, str], tenant: str | None) -> str:
    select = ", ".join(f"{_expression(item)} AS {item.alias}" for item in endpoint.select)
    sql = f"SELECT {select} FROM t {_where(table, endpoint, values, tenant)}"
    order = [f"{o.alias} {'DESC' if o.descending else 'ASC'} NULLS LAST" for o in endpoint.order_by]
    if endpoint.group_by:
        columns = {item.alias: item.column for item in endpoint.select}
        sql += " GROUP BY " + ", ".join(dict.fromkeys(columns[a] for a in endpoint.group_by))
    if endpoint.is_aggregate:
        order += [f"{alias} ASC NULLS LAST" for alias in endpoint.group_by]
    else:
        order += ["file", "place"]
    return sql + (" ORDER BY " + ", ".join(order) if order else "")


def _where(table: Table, endpoint: Endpoint, values: Mapping[str, str], tenant: str | None) -> str:
    kinds = {param.name: param.type for param in endpoint.params}
    conditions = [
        _condition(table, item, kinds[item.param], values[item.param])
        for item in endpoint.filters
        if item.param in values
    ]
    if table.tenant_column:
        text = str(tenant).replace("'", "''")
        conditions.insert(0, f"CAST({table.tenant_column} AS VARCHAR) = '{text}'")
    return "WHERE " + " AND ".join(conditions) if conditions else ""


def _condition(table: Table, item: Filter, kind: Any, text: str) -> str:
    column_type = table_column(table, item.column).type
    if item.op == "prefix":
        return f"starts_with({item.column}, {literal(column_type, kind, text)})"
    if item.op == "in":
        equal = [_equal(table, item, kind, part) for part in text.split(",")]
        return "(" + " OR ".join(equal) + ")"
    column = comparable(column_type, item.column, text)
    return f"{column} {_SQL_OPS[item.op]} {literal(column_type, kind, text)}"


def _equal(table: Table, item: Filter, kind: Any, text: str) -> str:
    column_type = table_column(table, item.column).type
    column = comparable(column_type, item.column, text)
    return f"{column} = {literal(column_type, kind, text)}"


def _expression(item: Select) -> str:
    if item.agg is None:
        return item.column
    if item.agg == "count_distinct":
        return f"count(DISTINCT {item.column})"
    return f"{item.agg}({item.column})"


def _loaded(name: str, kind: Kind) -> str:
    if kind is Kind.DOUBLE:
        return f"CASE WHEN isfinite({name}) THEN {name} END AS {name}"
    if kind is Kind.TIMESTAMP:
        return f"make_timestamp(epoch_us({name})) AS {name}"
    return name


def _finite(cell: Any) -> Any:
    """An overflow is null in a body."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
