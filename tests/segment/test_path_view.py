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


def test_all_64_bits_and_a_null_are_sorted_but_not_searched() -> None:
    """A column of 65 bits is beyond the packed key: it is residual, in the right order still."""
    path = numbers(GREATEST, None, LEAST, 0)
    assert path.key_columns == ()
    assert path.base_rows is not None
    assert path.base_rows.tolist() == [2, 3, 0, 1]
    assert path.find([]) == (0, 4)
    with pytest.raises(IndexError):
        path.find([0])


def test_all_64_bits_without_a_null_are_searched() -> None:
    """The whole range of BIGINT fits one key."""
    path = numbers(GREATEST, LEAST, 0)
    assert path.key_columns == ("a",)
    assert path.find([LEAST]) == (0, 1)
    assert path.find([], 0, GREATEST) == (1, 3)


def test_columns_beyond_64_bits_are_residual() -> None:
    """The key holds the longest prefix that fits; asking for more is a mistake of the caller."""
    rows: list[tuple[Value, ...]] = [(1, LEAST, 7), (0, GREATEST, 8), (1, LEAST, 6)]
    path = path_over("a BIGINT, b BIGINT, c BIGINT", rows, "a", "b", "c")
    assert (path.columns, path.key_columns) == (("a", "b", "c"), ("a",))
    assert path.find([1]) == (1, 3)
    assert path.base_rows is not None
    assert path.base_rows.tolist() == [1, 2, 0]
    with pytest.raises(IndexError):
        path.find([1], 0, 1)


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
