"""Two binary searches find the rows of an equality prefix and a range."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.segment.path_view import KeyColumn, ordered_double
from offloader.segment.read import PathView
from tests.segment.tables import Table, Value, build, table

LEAST, GREATEST = -(2**63), 2**63 - 1


def path_over(contract: str, rows: list[tuple[Value, ...]], *columns: str) -> PathView:
    """Build a table without tenants and return its one path."""
    return build(table(contract, rows), [columns or ("a",)]).paths[0]


def numbers(*values: Value) -> PathView:
    """Return the path over one BIGINT column."""
    return path_over("a BIGINT", [(value,) for value in values])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (None, None, (0, 6)),
        (2, None, (1, 4)),
        (None, 4, (0, 3)),
        (3, 3, (2, 2)),
        (4, 4, (2, 3)),
        (-(10**30), 10**30, (0, 4)),
        (7, 100, (0, 0)),
        (5, 4, (0, 0)),
        (1.5, 4.5, (1, 3)),
        (-math.inf, math.inf, (0, 4)),
        (math.nan, None, (0, 0)),
        (None, math.nan, (0, 0)),
    ],
)
def test_a_range_is_inclusive_and_skips_nulls(
    low: float | None, high: float | None, expected: tuple[int, int]
) -> None:
    """Bounds beyond what occurs are clipped; as soon as one is given, nulls are out."""
    found = numbers(4, None, 2, 1, None, 6).find([], low, high)
    assert found == expected


@pytest.mark.parametrize("value", [0, 3, 7, 10**30, -(10**30), 2.5, math.inf, math.nan])
def test_a_value_that_no_row_holds_is_empty(value: float) -> None:
    """Equality with an absent value is an empty range, whatever its size or type."""
    start, stop = numbers(4, None, 2, 1, 6).find([value])
    assert start == stop


def test_a_whole_float_equals_the_integer() -> None:
    """4.0 and 4 are the same number."""
    assert numbers(4, 2).find([4.0]) == numbers(4, 2).find([4]) == (1, 2)


def test_doubles_order_as_numbers() -> None:
    """Negative numbers come first, -0 equals 0, NaN and infinities were stored as nulls."""
    rows = [0.0, -1.5, math.inf, 1e300, -0.0, None, math.nan, 5e-324]
    path = path_over("a DOUBLE", [(value,) for value in rows])
    assert path.rows(0, 8) is not None
    assert path.find([0.0]) == path.find([-0.0]) == path.find([0]) == (1, 3)
    assert path.find([], 0, None) == (1, 5)
    assert path.find([], None, -1.5) == (0, 1)
    assert path.find([], math.nextafter(0, 1), 1) == (3, 4)


def test_integers_between_doubles_bound_them_exactly() -> None:
    """A bound of 2**53 + 1, which is no double, includes just what is above or below it."""
    path = path_over("a DOUBLE", [(2.0**53,), (2.0**53 + 2,)])
    assert path.find([], 2**53 + 1, None) == (1, 2)
    assert path.find([], None, 2**53 + 1) == (0, 1)
    assert path.find([2**53 + 1]) == (0, 0)
    assert path.find([], None, 10**400) == (0, 2)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_ordered_doubles_compare_like_doubles(pair: list[float]) -> None:
    """The integer that stands for a double orders like it."""
    one, two = pair
    assert (ordered_double(one) < ordered_double(two)) == (one < two)
    assert (ordered_double(one) == ordered_double(two)) == (one == two)


def test_all_64_bits_and_a_null_are_beyond_the_key() -> None:
    """A column of 65 bits is searched in its values: the packed key has no room for it."""
    path = numbers(GREATEST, None, LEAST, 0)
    assert path.key_columns == ()
    assert path.base_rows is not None
    assert path.base_rows.tolist() == [2, 3, 0, 1]
    assert [path.find([]), path.find([0]), path.find([LEAST])] == [(0, 4), (1, 2), (0, 1)]
    assert [path.find([], 0, None), path.find([], -math.inf)] == [(1, 3), (0, 3)]
    with pytest.raises(IndexError):
        path.find([0, 0])


def test_all_64_bits_without_a_null_are_searched() -> None:
    """The whole range of BIGINT fits one key."""
    path = numbers(GREATEST, LEAST, 0)
    assert path.key_columns == ("a",)
    assert path.find([LEAST]) == (0, 1)
    assert path.find([], 0, GREATEST) == (1, 3)


WIDE: list[tuple[Value, ...]] = [
    (1, LEAST, 7), (0, GREATEST, 8), (1, LEAST, 6), (1, None, 5), (1, 4, None), (1, 4, 9)
]  # fmt: skip


def test_columns_beyond_64_bits_are_searched_in_their_values() -> None:
    """The key holds the longest prefix that fits; behind it, rows are looked at, but log2(n)."""
    path = path_over("a BIGINT, b BIGINT, c BIGINT", WIDE, "a", "b", "c")
    assert (path.columns, path.key_columns) == (("a", "b", "c"), ("a",))
    assert path.base_rows is not None
    assert path.base_rows.tolist() == [1, 2, 0, 5, 4, 3]
    assert [path.find([1]), path.find([1, LEAST]), path.find([1, LEAST, 7])] == [
        (1, 6), (1, 3), (2, 3)
    ]  # fmt: skip
    assert [path.find([1], -math.inf), path.find([1], LEAST + 1, None)] == [(1, 5), (3, 5)]
    assert [path.find([1, LEAST], 7, None), path.find([1, 4], None, 100)] == [(2, 3), (3, 4)]
    for absent in ([0, 4], [1, 5], [1, LEAST, 8], [2, LEAST], [1, 2.5], [1, math.nan]):
        start, stop = path.find(absent)
        assert start == stop
    with pytest.raises(IndexError):
        path.find([1, LEAST, 7], 0, 1)


def test_a_double_behind_the_key_orders_as_a_number() -> None:
    """-0 equals 0, and integers that are no doubles bound them exactly, behind the key too."""
    rows: list[tuple[Value, ...]] = [
        (n, v) for n in (0, 2**60) for v in (2.0**53 + 2, -0.0, None, 0.0, -1.5, 2.0**53)
    ]
    path = path_over("a BIGINT, b DOUBLE", rows, "a", "b")
    assert path.key_columns == ("a",)
    assert path.find([2**60, 0]) == path.find([2**60, -0.0]) == (7, 9)
    assert path.find([0], 2**53 + 1, None) == (4, 5)
    assert path.find([0], None, 2**53 + 1) == (0, 4)
    assert path.find([0, 2**53 + 1]) == (4, 4)


def test_ties_are_the_rows_with_the_same_first_values() -> None:
    """Around any position, by any number of columns, in the key or behind it, nulls alike."""
    path = path_over("a BIGINT, b BIGINT, c BIGINT", WIDE, "a", "b", "c")
    found = [[path.ties(position, length) for position in range(6)] for length in range(4)]
    assert found == [
        [(0, 6)] * 6,
        [(0, 1), *[(1, 6)] * 5],
        [(0, 1), (1, 3), (1, 3), (3, 5), (3, 5), (5, 6)],
        [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)],
    ]
    packed = path_over("a BIGINT, b BIGINT", [(1, 2), (0, None), (1, 2), (0, 4)], "a", "b")
    assert [packed.ties(p, 1) for p in range(4)] == [(0, 2), (0, 2), (2, 4), (2, 4)]
    assert [packed.ties(p, 2) for p in range(4)] == [(0, 1), (1, 2), (2, 4), (2, 4)]


@given(st.data())
def test_every_search_finds_the_rows_that_match(data: st.DataObject) -> None:
    """Whatever the widths of the columns: equal values, bounds and ties are those of the rows."""
    values = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([LEAST, GREATEST, 2**40]))
    rows = data.draw(st.lists(st.tuples(values, values, values), max_size=30))
    path = path_over("a BIGINT, b BIGINT, c BIGINT", list(rows), "a", "b", "c")
    ordered = sorted(rows, key=lambda row: [(v is None, v or 0) for v in row])
    length = data.draw(st.integers(0, 2))
    asked = st.one_of(st.integers(-1, 4), st.sampled_from([LEAST, GREATEST, 2**40]))
    prefix = [data.draw(asked) for _ in range(length)]
    low, high = data.draw(st.none() | asked), data.draw(st.none() | asked)
    start, stop = path.find(prefix, low, high)
    is_bounded = low is not None or high is not None
    expected = [
        row
        for row in ordered
        if list(row[:length]) == prefix and (not is_bounded or _is_between(row[length], low, high))
    ]
    assert ordered[start:stop] == expected
    if rows:
        position = data.draw(st.integers(0, len(rows) - 1))
        first, last = path.ties(position, length)
        same = [p for p, row in enumerate(ordered) if row[:length] == ordered[position][:length]]
        assert list(range(first, last)) == same


def _is_between(value: int | None, low: int | None, high: int | None) -> bool:
    if value is None:
        return False
    return (low is None or low <= value) and (high is None or value <= high)


def test_a_constant_column_takes_no_bits() -> None:
    """One value everywhere: it matches all rows or none."""
    path = path_over("a INTEGER, b INTEGER", [(5, 1), (5, 2)], "a", "b")
    assert path.key[0] == KeyColumn("a", False, 5, 5, False, 0, 1)
    assert path.find([5]) == (0, 2)
    assert path.find([4]) == (0, 0)
    assert path.find([5], 2, None) == (1, 2)


def test_an_empty_table_has_paths_that_find_nothing() -> None:
    """No row, no range, no error."""
    path = numbers()
    assert [path.find([]), path.find([1]), path.find([], 0, 9)] == [(0, 0)] * 3


def test_nulls_are_never_equal_to_anything() -> None:
    """A column of nulls only has no value to find."""
    path = numbers(None, None)
    assert [path.find([]), path.find([0]), path.find([], -9, 9)] == [(0, 2), (0, 0), (0, 0)]


def test_the_base_order_needs_no_row_numbers() -> None:
    """A path in base order answers slices, another one a view of row numbers."""
    usage: Table = table("t VARCHAR, a BIGINT", [("y", 1), ("x", 2), ("x", 1)], "t")
    tenant, tenant_and_a = build(usage, [("t",), ("t", "a")]).paths
    assert tenant.rows(0, 2) == slice(0, 2)
    rows = tenant_and_a.rows(0, 2)
    assert not isinstance(rows, slice)
    assert (rows.tolist(), rows.flags.writeable) == ([1, 0], False)


def test_small_keys_take_four_bytes() -> None:
    """Keys of up to 32 bits are uint32, and keys of one row each need no starts."""
    path = numbers(1, 2, 3)
    assert (path.keys.dtype.name, path.starts) == ("uint32", None)
    wide = numbers(0, 2**40, 0)
    assert wide.starts is not None
    assert (wide.keys.dtype.name, wide.starts.tolist()) == ("uint64", [0, 2, 3])
