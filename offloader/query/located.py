"""Located: where the rows of one request are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offloader.query.cells import row_numbers
from offloader.query.conditions import Interval, Physical
from offloader.query.filters import Residual
from offloader.query.ordering import Ordering
from offloader.segment.read import PathView, Rows

Span = tuple[int, int]


@dataclass(slots=True, eq=False)
class Located:
    """Where a request's rows are: `spans` of positions in `path`, or of base rows without one.

    Rows must still meet `residual`. `fixed` are the columns that hold one value in all of them.
    They come sorted by `sorted_by` (ascending, nulls last), then in source order; `ordering`
    compares that with the contract's order. `prefix` and `bounds` are what the path was asked;
    `is_listed` that a list was, value by value; `is_base` that positions are base rows.
    """

    path: PathView | None
    spans: tuple[Span, ...]
    residual: tuple[Residual, ...]
    fixed: frozenset[str]
    sorted_by: tuple[str, ...]
    ordering: Ordering
    prefix: tuple[Physical, ...] = ()
    bounds: Interval | None = None
    is_listed: bool = False
    is_base: bool = False

    @property
    def count(self) -> int:
        """How many rows the spans hold."""
        if len(self.spans) == 1:
            return self.spans[0][1] - self.spans[0][0]
        return sum(end - start for start, end in self.spans)

    def rows(self) -> Rows:
        """Return the located base rows: a slice or a view of the path for a single span."""
        path = self.path
        if len(self.spans) == 1:
            start, end = self.spans[0]
            return slice(start, end) if self.is_base or path is None else path.rows(start, end)
        if path is None or not self.spans:
            return slice(0, 0)
        parts = (path.rows(start, end) for start, end in self.spans)
        return np.concatenate([row_numbers(part) for part in parts])


_NO_ORDERING = Ordering((), is_met=True, narrows=False)


def nothing() -> Located:
    """Return the place of no row."""
    return Located(None, (), (), frozenset(), (), _NO_ORDERING)


def cost(located: Located) -> tuple[int, int, bool]:
    """Return what to choose among paths by: rows, checks left, whether the order is another."""
    order = located.ordering
    is_ordered = order.is_met or order.narrows or order.group_depth > 0
    return located.count, len(located.residual), not is_ordered
