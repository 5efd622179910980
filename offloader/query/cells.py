"""Cells: one column of some rows, physical, as it goes through grouping, order and encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.types import ColumnType, Kind
from offloader.segment.dictionary import DecimalDictionary, Texts
from offloader.segment.read import ColumnView, Rows

Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.integer[Any]]


@dataclass(slots=True, eq=False)
class Cells:
    """Physical values of one column, shape (n,).

    As in a segment: codes when there is a `dictionary`, else integers, days, microseconds,
    unscaled decimals or doubles. JSON holds row numbers, its `dictionary` has a text per row. A
    sum that needs more than 64 bits is an object array of Python integers. `valid` is None when
    nothing is null; the value of a null means nothing. `reach` bounds how far integers are from 0.
    """

    type: ColumnType
    values: npt.NDArray[Any]
    valid: Bools | None = None
    dictionary: Texts | DecimalDictionary | None = None
    reach: int | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, positions: Positions) -> Cells:
        """Return the cells at `positions`, in that order."""
        valid = None if self.valid is None else self.valid[positions]
        return Cells(self.type, self.values[positions], valid, self.dictionary, self.reach)


def read_cells(view: ColumnView, rows: Rows) -> Cells:
    """Return a column's cells at `rows`: views for a slice, else copies."""
    valid = view.is_valid(rows)
    if view.type.kind is Kind.JSON:
        return Cells(view.type, row_numbers(rows), valid, view.json)
    return Cells(view.type, view.gather(rows), valid, view.dictionary, view.reach)


def row_numbers(rows: Rows) -> Positions:
    """Return rows as an array of row numbers."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def row_count(rows: Rows) -> int:
    """Return how many rows there are; slices here always have both ends and step 1."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)
