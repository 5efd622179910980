"""Row order: a page of plain rows, using the order an access path already has."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from offloader.query.cells import read_cells, row_count
from offloader.query.filters import matching
from offloader.query.located import Located
from offloader.query.order import SortKey, first_positions, in_source_order
from offloader.segment.read import ColumnView, Rows

OrderColumn = tuple[ColumnView, bool]


def rows_to_page(located: Located, offset: int, limit: int) -> tuple[Rows, int]:
    """Return the base rows of one page, in order, and how many rows match in all."""
    wanted = offset + limit
    if is_in_order(located):
        rows = matching(located.rows(), located.residual)
        count = row_count(rows)
        return _part(rows, offset, min(wanted, count)), count
    order = located.ordering.columns
    if can_narrow(located):
        count, rows = located.count, _narrowed(located, order[0], wanted)
    else:
        rows = matching(located.rows(), located.residual)
        count = row_count(rows)
    first = _first_rows(order, rows, wanted)
    return _part(first, offset, min(wanted, count)), count


def is_in_order(located: Located) -> bool:
    """Tell whether the located rows come as the contract orders them, ties included."""
    return located.ordering.is_met or located.count <= 1


def can_narrow(located: Located) -> bool:
    """Tell whether the path can name the rows that the first order column lets into a page."""
    return located.ordering.narrows and bool(located.spans)


def _narrowed(located: Located, first: OrderColumn, wanted: int) -> Rows:
    """Return the path's rows up to and with all ties of the last one wanted."""
    path, prefix = located.path, located.prefix
    assert path is not None
    low = -inf if located.bounds is None or located.bounds.low is None else located.bounds.low
    high = None if located.bounds is None else located.bounds.high
    start, end = path.find(prefix, low, high)  # without the nulls, which come last
    if wanted > end - start:
        return located.rows()
    view, descending = first
    place = end - wanted if descending else start + wanted - 1
    last = view.gather(path.rows(place, place + 1))[0].item()
    if descending:
        start = path.find(prefix, last, high)[0]
    else:
        end = path.find(prefix, low, last)[1]
    return path.rows(start, end)


def _first_rows(order: Sequence[OrderColumn], rows: Rows, wanted: int) -> Rows:
    if not order:
        return in_source_order(rows, wanted)
    rows = in_source_order(rows)
    keys = [SortKey(read_cells(view, rows), descending) for view, descending in order]
    positions = first_positions(keys, row_count(rows), wanted)
    return positions + rows.start if isinstance(rows, slice) else rows[positions]


def _part(rows: Rows, start: int, end: int) -> Rows:
    end = max(start, end)
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.start + end)
    return np.asarray(rows[start:end])
