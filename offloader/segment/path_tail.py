"""Search a column behind a path's packed key: binary search through the path's row numbers.

Within rows that agree on all columns before it, a path has the column ascending, nulls last. So
each bound is found by looking at log2(n) rows; nothing is scanned and nothing is kept for it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class TailColumn:
    """A column's physical values and validity (see ColumnView), and the path's `base_rows`.

    Spans given to it hold rows that are equal in every column before this one.
    """

    values: npt.NDArray[Any]
    valid: npt.NDArray[np.uint8] | None
    base_rows: npt.NDArray[np.uint32] | None
    _values: memoryview[Any] = field(init=False, repr=False)
    _valid: memoryview | None = field(init=False, repr=False)
    _rows: memoryview | range = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = range(len(self.values)) if self.base_rows is None else self.base_rows.data
        object.__setattr__(self, "_values", self.values.data)
        object.__setattr__(self, "_valid", None if self.valid is None else self.valid.data)
        object.__setattr__(self, "_rows", rows)

    def narrow(self, span: Span, low: float | None, high: float | None) -> Span:
        """Return the part of `span` whose values lie in [low, high], nulls left out."""
        start, end = span[0], self._first_null(span)
        if low != low or high != high:  # NaN is neither below nor above anything
            return start, start
        if low is not None:
            start = bisect_left(self._rows, low, start, end, key=self._values.__getitem__)
            if low == high and (start == end or self._values[self._rows[start]] != low):
                return start, start
        if high is not None:
            end = bisect_right(self._rows, high, start, end, key=self._values.__getitem__)
        return start, end

    def ties(self, position: int, span: Span) -> Span:
        """Return the part of `span` whose values are that at `position`; nulls are alike."""
        first_null = self._first_null(span)
        if position >= first_null:
            return first_null, span[1]
        value = self._values[self._rows[position]]
        return self.narrow((span[0], first_null), value, value)

    def _first_null(self, span: Span) -> int:
        start, end = span
        if self._valid is None or start >= end:
            return end
        return bisect_left(self._rows, True, start, end, key=self._is_null)

    def _is_null(self, row: int) -> bool:
        assert self._valid is not None
        return not self._valid[row >> 3] >> (row & 7) & 1
