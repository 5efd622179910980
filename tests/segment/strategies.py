"""Hypothesis strategies for tables of the contract's types."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from offloader.catalog.model import Column
from offloader.catalog.types import ColumnType, Kind
from tests.segment.tables import Table, Value

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)


def column_types() -> st.SearchStrategy[ColumnType]:
    """Any type a contract can name."""
    plain = st.sampled_from([kind for kind in Kind if kind is not Kind.DECIMAL]).map(ColumnType)
    decimal = st.integers(1, 38).flatmap(
        lambda p: st.integers(0, p).map(lambda s: ColumnType(Kind.DECIMAL, p, s))
    )
    return st.one_of(plain, decimal)


def values(column_type: ColumnType) -> st.SearchStrategy[Any]:
    """Any value of a type but null; doubles are finite."""
    kind = column_type.kind
    if kind is Kind.DECIMAL:
        limit = 10**column_type.precision - 1
        return st.one_of(st.integers(-9, 9), st.integers(-limit, limit))
    by_kind: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.BOOLEAN: st.booleans(),
        Kind.INTEGER: INT32,
        Kind.BIGINT: st.one_of(st.integers(-3, 3), INT64),
        Kind.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
        Kind.VARCHAR: st.text(max_size=6),
        Kind.DATE: st.integers(-100_000, 100_000),
        Kind.TIMESTAMP: st.integers(-(2**55), 2**55),
        Kind.JSON: st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=4,
        ).map(json.dumps),
    }
    return by_kind[kind]


@st.composite
def columns_of_values(draw: st.DrawFn, column_type: ColumnType, row_count: int) -> list[Value]:
    """Draw one column: few distinct values so that keys repeat, some or no nulls."""
    pool: list[Value] = draw(st.lists(values(column_type), min_size=1, max_size=6))
    if draw(st.booleans()):
        pool.append(None)
    picks = st.lists(st.sampled_from(pool), min_size=row_count, max_size=row_count)
    return draw(picks)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw a table of 1 to 4 columns and 0 to 30 rows, with or without a tenant column."""
    types = draw(st.lists(column_types(), min_size=1, max_size=4))
    row_count = draw(st.integers(0, 30))
    columns = tuple(Column(f"c{place}", found) for place, found in enumerate(types))
    drawn = [draw(columns_of_values(found, row_count)) for found in types]
    rows = tuple(zip(*drawn, strict=True))
    tenants = [c.name for c in columns if c.type.kind is not Kind.JSON]
    return Table(columns, rows, draw(st.sampled_from([None, *tenants])))


@st.composite
def tables_with_path(draw: st.DrawFn) -> tuple[Table, tuple[str, ...]]:
    """Draw a table and an access path over it."""
    source = draw(tables().filter(lambda t: any(c.type.kind is not Kind.JSON for c in t.columns)))
    names = [c.name for c in source.columns if c.type.kind is not Kind.JSON]
    path = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return source, tuple(path)
