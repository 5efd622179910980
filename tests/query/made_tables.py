"""Made tables: every type, extremes, few distinct values, nulls everywhere."""

from __future__ import annotations

import math
from random import Random

from offloader.catalog.model import Column
from offloader.catalog.types import ColumnType, Kind
from tests.segment.tables import Table, Value

COLUMN_TYPES = (
    *(ColumnType(kind) for kind in Kind if kind is not Kind.DECIMAL),
    *(ColumnType(Kind.DECIMAL, p, s) for p, s in ((4, 2), (18, 18), (38, 4))),
)
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # years 1 to 9999, which DuckDB shows as we do
_DAY_MICROSECONDS = 86_400_000_000
_INTEGER_LIMITS = {
    Kind.INTEGER: (-(2**31), 2**31 - 1, 1),
    Kind.BIGINT: (-(2**63), 2**63 - 1, 1),
    Kind.DATE: (FIRST_DAY, LAST_DAY, 1),
    Kind.TIMESTAMP: (
        FIRST_DAY * _DAY_MICROSECONDS,
        LAST_DAY * _DAY_MICROSECONDS,
        _DAY_MICROSECONDS // 2,
    ),
}
_DOUBLES = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 0.1, 1e16, -1e22),
    *(1.7976931348623157e308, -1.7976931348623157e308, 2.0**53, 2.0**63, math.pi),
)
_TEXTS = (
    *(
        "",
        "a",
        "ab",
        "abc",
        "b",
        "B",
        "é",
        "éa",
        "e\u0301",
        "😀",
        "\uffff",
        "日本",
        "%_",
        "'",
        '"\\',
    ),
    *(" ", "a b", "a,b", "null", "0", "\n", "\x01\x7f", "\u2028", "x" * 200),
)
_JSON_TEXTS = ("null", "1", "-2.50", '"é"', "[]", "[1,[2]]", '{"a":{"b":null}}', "true")
_TENANT_KINDS = (Kind.VARCHAR, Kind.INTEGER, Kind.BIGINT)


def make_value(pick: Random, column_type: ColumnType) -> Value:
    """Make a value of a type, not null: small, extreme or anything; doubles also NaN and inf."""
    kind = column_type.kind
    if kind is Kind.DECIMAL:
        limit = int(10 ** min(column_type.precision, 36)) - 1  # 120 of them still have 38 digits
        return pick.choice([pick.randint(-9, 9), pick.randint(-limit, limit), limit, -limit])
    if kind in _INTEGER_LIMITS:
        low, high, step = _INTEGER_LIMITS[kind]
        middle = min(20_000, high // step)
        near = pick.randint(middle, middle + 5) * step
        made = pick.choice([near, near, pick.randint(-3, 3), pick.randint(low, high), low, high])
        return int(made)
    if kind is Kind.BOOLEAN:
        return pick.random() < 0.5
    if kind is Kind.DOUBLE:
        return pick.choice([pick.randint(-8, 8) / 4, pick.choice(_DOUBLES), pick.gauss(0, 1e9)])
    return pick.choice(_TEXTS if kind is Kind.VARCHAR else _JSON_TEXTS)


def make_table(pick: Random) -> Table:
    """Make 3 to 8 columns and 0 to 120 rows; the first column may be the tenant's.

    Values come from small pools, so that filters match, groups repeat and orders tie.
    """
    types = [pick.choice(COLUMN_TYPES) for _ in range(pick.randint(3, 8))]
    is_scoped = pick.random() < 0.5
    if is_scoped:
        types[0] = ColumnType(pick.choice(_TENANT_KINDS))
    row_count = pick.choice([0, 1, 7, 30, 30, 60, 60, 60, 120, 120, 120])
    columns = []
    for found in types:
        pool = [make_value(pick, found) for _ in range(pick.randint(1, 7))]
        nulls: list[Value] = [None] * pick.choice([0, 0, 1, 2])
        columns.append(pick.choices([*pool, *nulls], k=row_count))
    contract = tuple(Column(f"c{place}", found) for place, found in enumerate(types))
    rows = tuple(zip(*columns, strict=True))
    return Table(contract, rows, "c0" if is_scoped else None)


def stored_values(table: Table, column: Column) -> list[Value]:
    """Return a column's distinct values but null, NaN and infinities."""
    place = table.columns.index(column)
    found = dict.fromkeys(row[place] for row in table.rows)
    return [
        v for v in found if v is not None and not (isinstance(v, float) and not math.isfinite(v))
    ]


def table_column(table: Table, name: str) -> Column:
    """Return a table's column by name."""
    return next(column for column in table.columns if column.name == name)
