"""Filters: each operator on each type, exactly, with and without an access path."""

from __future__ import annotations

from typing import Any

import pytest

from offloader.catalog.model import FilterOp, Param, ParamType
from tests.query.serving import Served, serve
from tests.segment.tables import Value

OPS: tuple[FilterOp, ...] = ("eq", "ne", "gt", "gte", "lt", "lte")


def matched(contract: str, values: list[Value], op: str, kind: ParamType, text: str) -> list[Any]:
    """Return the numbers of the rows that `v op text` matches, the same by path and by scan."""
    rows = [(value, number) for number, value in enumerate(values)]
    found = []
    ways: list[list[tuple[str, ...]]] = [[("v",)], []]
    for paths in ways:
        served = _by_value(contract, rows, op, kind, paths)
        found.append([row[0] for row in served.rows("p=" + text.replace("+", "%2B"))])
    assert found[0] == found[1]
    return found[0]


def _by_value(
    contract: str, rows: list[Any], op: str, kind: ParamType, paths: list[tuple[str, ...]]
) -> Served:
    return serve(
        f"v {contract}, number INTEGER",
        rows,
        select="number",
        where=[("v", op, Param("p", kind))],
        paths=paths,
    )


def by_op(contract: str, values: list[Value], kind: ParamType, text: str) -> list[list[Any]]:
    """Return what eq, ne, gt, gte, lt and lte match, in this order."""
    return [matched(contract, values, op, kind, text) for op in OPS]


@pytest.mark.parametrize(
    ("contract", "kind", "text", "values"),
    [
        ("INTEGER", "integer", "5", [4, 5, 6, None]),
        ("BIGINT", "integer", "-9223372036854775807", [-(2**63), -(2**63) + 1, 0, None]),
        ("DOUBLE", "number", "0.5", [0.25, 0.5, 1e300, None]),
        ("DOUBLE", "integer", "5", [4.999, 5.0, 5.001, None]),
        ("DECIMAL(10,2)", "number", "1.25", [124, 125, 126, None]),
        ("DECIMAL(10,2)", "integer", "1", [99, 100, 101, None]),
        ("DECIMAL(38,10)", "number", "1.25", [12499999999, 12500000000, 10**37, None]),
        ("VARCHAR", "string", "b", ["a", "b", "ba", None]),
        ("VARCHAR", "enum", "é", ["z", "é", "😀", None]),
        ("DATE", "date", "1970-01-03", [1, 2, 3, None]),
        ("TIMESTAMP", "timestamp", "1970-01-01T00:00:01Z", [999_999, 1_000_000, 1_000_001, None]),
        ("TIMESTAMP", "date", "1970-01-02", [86_399_999_999, 86_400_000_000, 10**12, None]),
        ("DATE", "timestamp", "1970-01-03T00:00:00Z", [1, 2, 3, None]),
    ],
)
def test_a_value_is_compared_in_its_columns_order(
    contract: str, kind: ParamType, text: str, values: list[Value]
) -> None:
    """Below, equal, above: each operator takes its part, and a null is in none."""
    assert by_op(contract, values, kind, text) == [[1], [0, 2], [2], [1, 2], [0], [0, 1]]


@pytest.mark.parametrize(
    ("contract", "kind", "text", "values"),
    [
        ("BIGINT", "number", "10.5", [10, 11, None]),
        ("INTEGER", "integer", "5000000000", [2**31 - 1, None]),
        ("INTEGER", "number", "1e300", [2**31 - 1, None]),
        ("DECIMAL(10,2)", "number", "0.125", [12, 13, None]),
        ("DECIMAL(10,2)", "integer", "9000000000000000000", [10**10 - 1, None]),
        ("DECIMAL(38,10)", "number", "0.00000000001", [0, 1, None]),
        ("VARCHAR", "string", "ab", ["a", "b", None]),
        ("VARCHAR", "string", "", [None]),
        ("DATE", "timestamp", "1970-01-03T12:00:00Z", [2, 3, None]),
        ("DOUBLE", "integer", "9007199254740993", [9007199254740992.0, 9007199254740994.0, None]),
        ("DOUBLE", "integer", "9223372036854775807", [2.0**62, 2.0**63, None]),
    ],
)
def test_a_value_between_stored_ones_equals_none(
    contract: str, kind: ParamType, text: str, values: list[Value]
) -> None:
    """What a column cannot hold still has a place in its order; no rounding moves it."""
    present = len(values) - 1
    low = [0] if present else []
    high = [1] if present > 1 else []
    both = [*low, *high]
    assert by_op(contract, values, kind, text) == [[], both, high, high, low, low]


def test_numbers_below_and_above_a_type_match_none_or_all() -> None:
    """A bound outside the column's type is not wrapped around."""
    assert by_op("INTEGER", [1, None], "integer", "-5000000000") == [[], [0], [0], [0], [], []]


def test_a_number_is_the_decimal_that_was_written() -> None:
    """0.1 equals DECIMAL 0.10, though no double is exactly 0.1."""
    assert matched("DECIMAL(4,2)", [10, 11], "eq", "number", "0.1") == [0]
    assert matched("DECIMAL(20,18)", [10**17, 10**17 + 1], "eq", "number", "0.1") == [0]


def test_both_zeros_are_equal() -> None:
    """-0.0 is neither below nor above 0."""
    values: list[Value] = [-0.0, 0.0, 5e-324, -5e-324]
    assert by_op("DOUBLE", values, "number", "0") == [
        [0, 1],
        [2, 3],
        [2],
        [0, 1, 2],
        [3],
        [0, 1, 3],
    ]


def test_the_greatest_double_bounds_exactly() -> None:
    """Nothing is above the greatest double, and it is not below itself."""
    top = 1.7976931348623157e308
    assert by_op("DOUBLE", [top, 1.0], "number", "1.7976931348623157e308") == [
        [0],
        [1],
        [],
        [0],
        [1],
        [0, 1],
    ]


def test_booleans_compare_with_false_first() -> None:
    """A null is neither true nor false."""
    values: list[Value] = [True, False, None]
    assert by_op("BOOLEAN", values, "boolean", "true") == [[0], [1], [], [0], [1], [0, 1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", [0, 1, 2, 4]), ("a", [0, 1]), ("ab", [1]), ("abc", []), ("é", [4]), ("%25", [2])],
)
def test_prefix_matches_the_beginning_of_a_text(text: str, expected: list[int]) -> None:
    """Bytes are compared, no character is special, and no null begins with anything."""
    values: list[Value] = ["a", "ab", "%", None, "éa"]
    assert matched("VARCHAR", values, "prefix", "string", text) == expected


@pytest.mark.parametrize(
    ("contract", "kind", "text", "values", "expected"),
    [
        ("INTEGER", "integer", "3,1,3,9", [1, 2, 3, None, 1], [0, 2, 4]),
        ("BIGINT", "number", "1.5,2", [1, 2, None], [1]),
        ("DOUBLE", "number", "0,1.5", [-0.0, 1.5, 2.0, None], [0, 1]),
        ("DECIMAL(10,2)", "number", "0.1,0.125,9e300", [10, 12, None], [0]),
        ("DECIMAL(38,2)", "number", "0.1,7", [10, 700, 701, None], [0, 1]),
        ("DECIMAL(18,18)", "integer", "9223372036854775807,0", [0, 1, None], [0]),
        ("VARCHAR", "string", "b,zz,a", ["a", "b", "c", None], [0, 1]),
        ("BOOLEAN", "boolean", "true", [True, False, None], [0]),
        ("DATE", "date", "1970-01-02,1970-01-04", [1, 2, 3, None], [0, 2]),
        ("VARCHAR", "string", "x,y", ["a", None], []),
    ],
)
def test_in_matches_any_of_a_list(
    contract: str, kind: ParamType, text: str, values: list[Value], expected: list[int]
) -> None:
    """Values that the column cannot hold match nothing and hurt nothing."""
    assert matched(contract, values, "in", kind, text) == expected


def test_filters_on_one_column_narrow_each_other() -> None:
    """All filters of a request must hold; contradictions match nothing."""
    served = serve(
        "v INTEGER",
        [(n,) for n in range(10)],
        where=[
            ("v", "gte", Param("from", "integer")),
            ("v", "lt", Param("to", "integer")),
            ("v", "ne", Param("not", "integer")),
            ("v", "in", Param("any", "integer")),
        ],
    )
    assert served.rows("from=3&to=7&not=5") == [(3,), (4,), (6,)]
    assert served.rows("from=3&any=1,4,9") == [(4,), (9,)]
    assert served.rows("from=7&to=3") == []


def test_one_param_may_filter_several_columns() -> None:
    """The value is placed in each column's own order."""
    at = Param("at", "number")
    served = serve(
        "low INTEGER, high DECIMAL(5,1)",
        [(1, 20), (3, 24), (3, 25), (9, 99)],
        where=[("low", "lte", at), ("high", "gt", at)],
    )
    assert served.rows("at=2.4") == []
    assert served.data("at=1") == '[{"low":1,"high":2.0}]'


def test_every_column_may_be_all_null_or_empty() -> None:
    """Filters work where a dictionary has no entry at all."""
    for rows in ([], [(None,)], [(None,), (None,)]):
        served = serve("v VARCHAR", rows, where=[("v", "eq", Param("p", "string"))])
        assert served.rows("p=x") == []
        assert served.rows() == rows
