"""Conditions as Arrow expressions: they say the same of a file's types as of the contract's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from offloader.catalog.model import Column
from offloader.catalog.types import parse_type
from offloader.sources.arrow_cast import read_as
from offloader.sources.arrow_types import arrow_type
from offloader.sources.scan_filter import Among, Between, Condition, can_match, expression_of

_DAY = date(2026, 1, 1)
_NOW = datetime(2026, 1, 1, 12, 30, 1, 123456, UTC)
_OLD = datetime(1969, 12, 31, 23, tzinfo=UTC)
_TEXTS = ["", "a", "a\0", "ab", "b", "é", "中", "\U0001f600", "\U0010ffff", None]
_NS = [0, 1, 999, 1000, 1999, -1, -999, -1000, -1001, None]
_SECONDS = pa.array([1, -1, 0, None], pa.int64()).view(pa.timestamp("s"))

# (column type, what a file holds)
FILES: list[tuple[str, pa.Array]] = [
    ("VARCHAR", pa.array(_TEXTS)),
    ("VARCHAR", pa.array(_TEXTS, pa.large_string())),
    ("VARCHAR", pa.array([*_TEXTS, "a"]).dictionary_encode()),
    ("INTEGER", pa.array([-128, -1, 0, 5, 127, None], pa.int8())),
    ("INTEGER", pa.array([0, 5, 255, 256, 65535, None], pa.uint16())),
    ("BIGINT", pa.array([-(2**31), 0, 5, 2**31 - 1, None], pa.int32())),
    ("BIGINT", pa.array([-(2**63), -1, 0, 5, 2**63 - 1, None], pa.int64())),
    ("BOOLEAN", pa.array([True, False, None])),
    ("DATE", pa.array([_DAY, date(1, 1, 1), date(9999, 12, 31), None], pa.date32())),
    ("TIMESTAMP", pa.array([_NOW, _OLD, None], pa.timestamp("us", "UTC"))),
    ("TIMESTAMP", pa.array([_NOW, None], pa.timestamp("us", "Asia/Tokyo"))),
    ("TIMESTAMP", pa.array([1, -1, 0, 1500, None], pa.int64()).view(pa.timestamp("ms"))),
    ("TIMESTAMP", pa.array(_NS, pa.int64()).view(pa.timestamp("ns"))),
    ("TIMESTAMP", _SECONDS),
    ("DECIMAL(18,4)", pa.array([Decimal("-1.5"), Decimal(0), Decimal("9.9"), None])),
    ("DECIMAL(18,4)", pa.array([-3, 0, 5, 100, None], pa.int16())),
    ("DECIMAL(38,2)", pa.array([Decimal("-1.5"), Decimal(10) ** 20, None], pa.decimal128(30, 1))),
]
_NAMES = [f"{kind} {array.type}" for kind, array in FILES]


@pytest.mark.parametrize(("kind", "array"), FILES, ids=_NAMES)
def test_an_expression_keeps_the_very_rows_that_the_contract_would(
    kind: str, array: pa.Array
) -> None:
    """Each bound and each list keeps the same rows before and after a file's type is read."""
    column = Column("c", parse_type(kind))
    read = read_as(column.type, array)
    stored, typed = pa.table({"c": array, "row": range(len(array))}), pa.table({"c": read})
    typed = typed.append_column("row", stored["row"])
    kept = set()
    for condition in _conditions(column, read):
        early = expression_of(condition, array.type)
        late = expression_of(condition, typed.schema.field("c").type)
        assert early is not None
        assert late is not None
        wanted = [row for row, value in enumerate(_plain(column, read)) if _meets(condition, value)]
        assert stored.filter(early)["row"].to_pylist() == wanted, condition
        assert typed.filter(late)["row"].to_pylist() == wanted, condition
        kept.add(len(wanted))
    assert len(kept) > 1


def _plain(column: Column, read: pa.Array) -> list[Any]:
    """Return physical values: texts, or integers of the contract's unit."""
    if column.type.kind.name == "VARCHAR":
        return read.to_pylist()  # type: ignore[no-any-return]
    if column.type.kind.name == "DECIMAL":
        scale = column.type.scale
        return [None if one is None else int(one.scaleb(scale)) for one in read.to_pylist()]
    bits = {"DATE": pa.int32(), "TIMESTAMP": pa.int64()}.get(column.type.kind.name)
    found = (read if bits is None else read.view(bits)).to_pylist()
    return [None if one is None else one if bits else int(one) for one in found]


def _conditions(column: Column, read: pa.Array) -> list[Condition]:
    """Return bounds at, beside and far from the values, and lists of them."""
    values = [one for one in _plain(column, read) if one is not None]
    if column.type.kind.name == "VARCHAR":
        points: list[Any] = sorted({*values, *(one + "\0" for one in values), "zz"})
    else:
        points = sorted({one + step for one in values for step in (-1, 0, 1)} | {10**37, -(10**37)})
    pick = Random(0)
    bounds = [None, *points]
    found: list[Condition] = [
        Between(column, low, end) for low in bounds for end in bounds if pick.random() < 0.5
    ]
    lists = [tuple(pick.sample(points, min(3, len(points)))) for _ in range(10)]
    return [*found, *(Among(column, (one,)) for one in points), *(Among(column, v) for v in lists)]


def _meets(condition: Condition, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(condition, Among):
        return value in condition.values
    low, end = condition.low, condition.end
    return (low is None or low <= value) and (end is None or value < end)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("DOUBLE", pa.float64()),
        ("DOUBLE", pa.int32()),
        ("DATE", pa.date64()),
        ("VARCHAR", pa.null()),
        ("BIGINT", pa.null()),
        ("DECIMAL(38,2)", pa.decimal256(38, 2)),
    ],
)
def test_what_is_doubtful_has_no_expression(kind: str, found: pa.DataType) -> None:
    """NaN is read as null, and these types are not compared as they are read: rows stay in."""
    column = Column("c", parse_type(kind))
    value = "a" if kind == "VARCHAR" else 1
    assert expression_of(Between(column, low=value), found) is None
    assert expression_of(Among(column, (value,)), found) is None


def test_every_type_but_double_and_json_can_be_expressed_once_it_is_read() -> None:
    """So a scan may stop when it has enough rows."""
    for kind in ("VARCHAR", "INTEGER", "BIGINT", "BOOLEAN", "DATE", "TIMESTAMP", "DECIMAL(38,2)"):
        column = Column("c", parse_type(kind))
        value = "a" if kind == "VARCHAR" else 1
        assert expression_of(Among(column, (value,)), arrow_type(column.type)) is not None


@pytest.mark.parametrize(
    ("condition", "is_there"),
    [
        (Among(Column("c", parse_type("VARCHAR")), ("a", "m")), True),
        (Among(Column("c", parse_type("VARCHAR")), ("a", "z")), False),
        (Between(Column("c", parse_type("VARCHAR")), low="f"), True),
        (Between(Column("c", parse_type("VARCHAR")), low="q"), False),
        (Between(Column("c", parse_type("VARCHAR")), end="g"), False),
        (Between(Column("c", parse_type("VARCHAR")), end="g\0"), True),
    ],
)
def test_texts_from_g_to_p_rule_conditions_out(condition: Condition, is_there: bool) -> None:
    """Both ends of what a row group holds belong to it."""
    assert can_match(condition, "g", "p") is is_there
