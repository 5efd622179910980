"""Any table survives the way through a segment, and every path finds what a scan finds."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.segment.read import Segment
from tests.segment.strategies import tables, tables_with_path, values
from tests.segment.tables import (
    Table,
    Value,
    arrow_tables,
    build,
    column_values,
    physical,
    physical_bounds,
    small_steps,
    sort_key,
)

cuts = st.lists(st.integers(0, 30), max_size=3)


def _base_rows(segment: Segment) -> list[tuple[Value, ...]]:
    return list(zip(*map(column_values, segment.columns.values()), strict=True))


def _ordinals(segment: Segment) -> list[int]:
    found = segment.ordinal
    return list(range(segment.row_count)) if found is None else found.tolist()


def _path_ordinals(segment: Segment) -> list[int]:
    path, ordinals = segment.paths[0], _ordinals(segment)
    rows = path.rows(0, segment.row_count)
    return ordinals[rows] if isinstance(rows, slice) else [ordinals[row] for row in rows]


@settings(max_examples=120)
@given(source=tables(), cuts=cuts, encoded=st.booleans(), small=st.booleans())
def test_every_row_comes_back_in_base_order(
    source: Table, cuts: list[int], encoded: bool, small: bool
) -> None:
    """Base order is the stable sort by tenant, nulls last, and each row keeps all its values."""
    with small_steps() if small else nullcontext():
        segment = build(source, tables=arrow_tables(source, cuts, encoded), threads=2)
    order = list(range(len(source.rows)))
    if source.tenant_column is not None:
        place = [c.name for c in source.columns].index(source.tenant_column)
        order.sort(key=lambda row: sort_key(source.rows[row], [place]))
    assert _base_rows(segment) == [source.rows[row] for row in order]
    assert _ordinals(segment) == order
    assert (segment.ordinal is None) == (order == sorted(order))


@settings(max_examples=120)
@given(drawn=tables_with_path(), cuts=cuts, small=st.booleans())
def test_a_path_orders_rows_by_its_columns(
    drawn: tuple[Table, tuple[str, ...]], cuts: list[int], small: bool
) -> None:
    """Rows of a path ascend by its columns, nulls last, ties in source order."""
    source, path = drawn
    with small_steps() if small else nullcontext():
        segment = build(source, [path], tables=arrow_tables(source, cuts))
    places = [int(name[1:]) for name in path]
    expected = sorted(range(len(source.rows)), key=lambda row: sort_key(source.rows[row], places))
    assert _path_ordinals(segment) == expected


@settings(max_examples=200)
@given(drawn=tables_with_path(), choices=st.data())
def test_find_equals_a_scan(drawn: tuple[Table, tuple[str, ...]], choices: st.DataObject) -> None:
    """For any prefix and any range behind it, `find` returns exactly the matching positions."""
    source, path = drawn
    with small_steps():
        segment = build(source, [path])
    view = segment.paths[0]
    assert view.key_columns == path[: len(view.key_columns)]
    length = choices.draw(st.integers(0, len(view.key_columns)))
    wanted = [_value(choices, source, name) for name in path[:length]]
    low = high = None
    if length < len(view.key_columns):
        low, high = (_bound(choices, source, path[length]) for _ in range(2))
    found = _find(segment, path, wanted, low, high)
    rows = [source.rows[ordinal] for ordinal in _path_ordinals(segment)]
    places = [int(name[1:]) for name in path]
    expected = [p for p, row in enumerate(rows) if _matches(row, places, wanted, low, high)]
    assert list(range(*found)) == expected


def _value(choices: st.DataObject, source: Table, name: str) -> Any:
    """Draw a value of a column, most often one that occurs."""
    place = int(name[1:])
    present = [row[place] for row in source.rows if row[place] is not None]
    drawn = values(source.columns[place].type)
    return choices.draw(st.one_of(st.sampled_from(present), drawn) if present else drawn)


def _bound(choices: st.DataObject, source: Table, name: str) -> Any:
    return _value(choices, source, name) if choices.draw(st.booleans()) else None


def _find(
    segment: Segment, path: tuple[str, ...], wanted: list[Any], low: Any, high: Any
) -> tuple[int, int]:
    columns = [segment.columns[name] for name in path]
    prefix = [physical(view, value) for view, value in zip(columns, wanted, strict=False)]
    if low is None and high is None:
        return segment.paths[0].find(prefix)
    return segment.paths[0].find(prefix, *physical_bounds(columns[len(wanted)], low, high))


def _matches(
    row: tuple[Any, ...], places: list[int], wanted: list[Any], low: Any, high: Any
) -> bool:
    if any(row[place] != value for place, value in zip(places, wanted, strict=False)):
        return False
    if low is None and high is None:
        return True
    value = row[places[len(wanted)]]
    return value is not None and (low is None or low <= value) and (high is None or value <= high)
