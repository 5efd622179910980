"""Aggregates follow SQL: nulls left out, sums exact, null a group of its own."""

from __future__ import annotations

import random

import pytest

from offloader.catalog.model import Param
from tests.query.serving import serve

ALL = "v count n, v count_distinct d, v sum s, v avg a, v min low, v max high"


@pytest.mark.parametrize(
    ("contract", "values", "expected"),
    [
        ("INTEGER", [1, 2, 2, None], '"n":3,"d":2,"s":5,"a":1.6666666666666667,"low":1,"high":2'),
        ("BIGINT", [None], '"n":0,"d":0,"s":null,"a":null,"low":null,"high":null'),
        ("DOUBLE", [0.5, -2.0], '"n":2,"d":2,"s":-1.5,"a":-0.75,"low":-2.0,"high":0.5'),
        ("DOUBLE", [-0.0, 0.0], '"n":2,"d":1,"s":0.0,"a":0.0,"low":0.0,"high":0.0'),
        ("DECIMAL(4,2)", [10, 15], '"n":2,"d":2,"s":0.25,"a":0.125,"low":0.10,"high":0.15'),
        ("DECIMAL(30,1)", [10, -5, 10], '"n":3,"d":2,"s":1.5,"a":0.5,"low":-0.5,"high":1.0'),
    ],
)
def test_numbers_have_every_aggregate(contract: str, values: list[int], expected: str) -> None:
    """Sums and extremes keep the column's kind and scale, an average is a double."""
    rows = [(v, "g") for v in values]
    whole = serve(f"v {contract}, g VARCHAR", rows, select=ALL)
    assert whole.data() == f"[{{{expected}}}]"
    grouped = serve(f"v {contract}, g VARCHAR", rows, select="g," + ALL, group_by="g")
    assert grouped.data() == f'[{{"g":"g",{expected}}}]'


@pytest.mark.parametrize(
    ("contract", "values", "low", "high"),
    [
        ("BOOLEAN", [True, False, None], "false", "true"),
        ("VARCHAR", ["b", "é", "a", None], '"a"', '"é"'),
        ("DATE", [3, 1, None], '"1970-01-02"', '"1970-01-04"'),
        ("TIMESTAMP", [5, 0, None], '"1970-01-01T00:00:00Z"', '"1970-01-01T00:00:00.000005Z"'),
    ],
)
def test_every_type_has_a_least_and_a_greatest(
    contract: str, values: list[object], low: str, high: str
) -> None:
    """Texts are ordered by their UTF-8 bytes, false is before true."""
    rows = [(v, 1) for v in values]
    served = serve(f"v {contract}, g INTEGER", rows, select="v min low, v max high")  # type: ignore[arg-type]
    assert served.data() == f'[{{"low":{low},"high":{high}}}]'


def test_no_row_is_still_one_row_without_group_by() -> None:
    """Nothing counts 0 and sums to null; with group_by there is no group."""
    where = [("v", "eq", Param("p", "integer"))]
    whole = serve("v INTEGER", [(1,)], select=ALL, where=where)
    nothing = '[{"n":0,"d":0,"s":null,"a":null,"low":null,"high":null}]'
    assert (whole.data("p=5"), whole.result("p=5").row_count) == (nothing, 1)
    assert serve("v INTEGER", [], select=ALL).data() == nothing
    grouped = serve("v INTEGER", [(1,)], select="v, v count n", group_by="v", where=where)
    assert (grouped.data("p=5"), grouped.data()) == ("[]", '[{"v":1,"n":1}]')


def test_offset_pages_over_the_single_row() -> None:
    """The one row of an aggregate without groups is a page like any other."""
    served = serve("v INTEGER", [(1,)], select="v sum")
    assert served.data("offset=1") == "[]"


@pytest.mark.parametrize("sign", [1, -1])
def test_integer_sums_do_not_wrap(sign: int) -> None:
    """A BIGINT sum beyond 64 bits is the exact integer, alone and in groups."""
    value = sign * (2**63 - 1)
    rows = [(value, "g")] * 5 + [(sign * 3, "g"), (sign * 7, "h")]
    whole = serve("v BIGINT, g VARCHAR", rows, select="v sum s, v avg a")
    assert whole.data() == f'[{{"s":{5 * value + sign * 10},"a":{(5 * value + sign * 10) / 7!r}}}]'
    grouped = serve("v BIGINT, g VARCHAR", rows, select="g, v sum s", group_by="g")
    total = 5 * value + sign * 3
    assert grouped.data() == f'[{{"g":"g","s":{total}}},{{"g":"h","s":{sign * 7}}}]'


def test_sums_are_exact_at_every_size() -> None:
    """The ways of summing (doubles, 64 bits, halves) agree with Python's integers."""
    for bits in (8, 31, 45, 52, 61, 63):
        pick = random.Random(bits)
        rows = [(pick.randint(-(2**bits), 2**bits - 1), pick.randrange(3)) for _ in range(500)]
        served = serve("v BIGINT, g INTEGER", rows, select="g, v sum s", group_by="g")
        totals = [sum(v for v, g in rows if g == group) for group in range(3)]
        assert [int(total) for _, total in served.rows()] == totals
        assert serve("v BIGINT, g INTEGER", rows, select="v sum").rows() == [(sum(totals),)]


def test_decimal_sums_are_exact() -> None:
    """Narrow and wide decimals sum beyond 38 digits without rounding."""
    top = 10**38 - 1
    wide = serve("v DECIMAL(38,2)", [(top,), (top,), (None,), (1,)], select="v sum")
    assert wide.data() == f'[{{"v":{(2 * top + 1) // 100}.{(2 * top + 1) % 100:02d}}}]'
    narrow = serve("v DECIMAL(18,18)", [(10**18 - 1,)] * 20, select="v sum")
    assert narrow.data() == '[{"v":19.999999999999999980}]'


def test_double_sums_do_not_depend_on_the_access_path() -> None:
    """Doubles are added in source order, whichever path the rows come by."""
    pick = random.Random(7)
    rows = [(pick.uniform(-1, 1) * 10 ** pick.randrange(18), n % 2, n % 7) for n in range(3000)]
    where = [("b", "gte", Param("p", "integer"))]
    bodies = set()
    for paths in ([], [("b",)], [("b", "v")], [("v",)], [("b", "a")]):
        for group_by in ("", "a"):
            served = serve(
                "v DOUBLE, a INTEGER, b INTEGER",
                rows,
                select="a, v sum s, v avg m" if group_by else "v sum s, v avg m",
                group_by=group_by,
                where=where,
                paths=paths,
            )
            bodies.add(served.data("p=0"))
    assert len(bodies) == 2


def test_grouped_double_sums_do_not_depend_on_the_access_path() -> None:
    """A path that goes on behind the groups has their rows in another order than the source."""
    pick = random.Random(5)
    values = (1e16, 1.0, -1e16, 0.1, 3.3)
    rows = [("t", pick.choice("ab"), n * 7919 % 1009, pick.choice(values)) for n in range(1009)]
    bodies, depths = set(), []
    for paths in ([("t", "g")], [("t", "g", "d")], [("t", "d", "g")], [("t",)], []):
        served = serve(
            "t VARCHAR, g VARCHAR, d INTEGER, v DOUBLE",
            rows,
            select="g, v sum s, v avg a",
            group_by="g",
            tenant="t",
            paths=paths,
        )
        bodies.add(served.data("", "t"))
        depths.append(served.located("", "t").ordering.group_depth)
    assert (len(bodies), depths) == (1, [2, 0, 0, 0, 0])


def test_a_double_sum_that_overflows_is_null() -> None:
    """JSON has no infinity."""
    rows = [(1.7e308, 1), (1.7e308, 1), (1.0, 2)]
    served = serve("v DOUBLE, g INTEGER", rows, select="g, v sum s, v avg a", group_by="g")
    assert served.rows() == [(1, None, None), (2, 1, 1)]
    whole = serve("v DOUBLE, g INTEGER", rows, select="v sum s, v avg a, v max m")
    assert whole.data() == '[{"s":null,"a":null,"m":1.7e+308}]'


def test_null_is_a_group() -> None:
    """Groups come in the order of their keys, null last."""
    rows = [(None, 1), ("b", 2), ("a", 3), (None, 4), ("b", None)]
    served = serve("g VARCHAR, v INTEGER", rows, select="g, v sum s, v count n", group_by="g")
    assert served.rows() == [("a", 3, 1), ("b", 2, 1), (None, 5, 2)]


@pytest.mark.parametrize(
    ("contract", "values"),
    [
        ("BOOLEAN", [False, True]),
        ("INTEGER", [-(2**31), 0, 2**31 - 1]),
        ("BIGINT", [-(2**63), 0, 2**63 - 1]),
        ("DOUBLE", [-1e300, 0.5, 1e300]),
        ("DECIMAL(18,0)", [-(10**18) + 1, 10**18 - 1]),
        ("DECIMAL(38,0)", [-(10**38) + 1, 10**38 - 1]),
        ("VARCHAR", ["", "a", "é", "😀"]),
        ("DATE", [-5, 20_000]),
        ("TIMESTAMP", [-(2**60), 2**60]),
    ],
)
def test_every_type_groups(contract: str, values: list[object]) -> None:
    """Two key columns of one type make every pair that occurs, in order."""
    keys = [*values, None]
    rows = [(a, b) for a in reversed(keys) for b in reversed(keys)] * 2
    served = serve(f"a {contract}, b {contract}", rows, select="a, b, a count n", group_by="a,b")  # type: ignore[arg-type]
    plain = serve(f"a {contract}, b {contract}", [(a, b) for a in keys for b in keys])  # type: ignore[misc]
    counts = [0 if a is None else 2 for a in keys for _ in keys]
    assert [row[:2] for row in served.rows()] == plain.rows()
    assert [row[2] for row in served.rows()] == counts


def test_both_zeros_are_one_group_shown_as_zero() -> None:
    """-0.0 and 0.0 are equal, so which came first must not show."""
    served = serve("g DOUBLE", [(-0.0,), (0.0,), (-0.0,)], select="g, g count n", group_by="g")
    assert served.data() == '[{"g":0.0,"n":3}]'


def test_distinct_values_are_counted_in_each_group() -> None:
    """Equal values in two groups count in both; null counts nowhere."""
    rows = [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("b", None), ("c", None)]
    served = serve("g VARCHAR, v BIGINT", rows, select="g, v count_distinct d", group_by="g")
    assert served.rows() == [("a", 2), ("b", 1), ("c", 0)]


def test_distinct_values_far_apart_are_counted() -> None:
    """Groups times the span of values may be more than 64 bits."""
    rows = [(g, v) for g in range(40) for v in (0, 2**61, g * 2**54, None)]
    served = serve("g INTEGER, v BIGINT", rows, select="g, v count_distinct d", group_by="g")
    assert [count for _, count in served.rows()] == [2] + [3] * 39


def test_json_can_be_counted() -> None:
    """Of nested values it is known whether they are there."""
    served = serve("j JSON", [('{"a":1}',), (None,), ("[]",)], select="j count n")
    assert served.rows() == [(2,)]


def test_group_by_without_aggregate_lists_distinct_rows() -> None:
    """Grouping alone drops repeats."""
    served = serve("g VARCHAR", [("b",), ("a",), ("b",)], select="g", group_by="g")
    assert served.rows() == [("a",), ("b",)]


def test_columns_and_order_may_differ() -> None:
    """Groups stay those of group_by when its column is not asked for, order too."""
    rows = [("a", 1), ("b", 5), ("c", 3)]
    served = serve(
        "g VARCHAR, v BIGINT",
        rows,
        select="g, v sum s, v max m",
        group_by="g",
        order_by="s desc",
    )
    assert served.data("columns=m") == '[{"m":5},{"m":3},{"m":1}]'
