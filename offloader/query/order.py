"""Order: the first rows under a total order, without sorting more than needed.

Nulls are last in both directions. Ties keep the order in which the rows came, so callers hand
rows in tie-break order: plain rows in source order, groups by their keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.query.cells import Bools, Cells, Positions
from offloader.segment.read import Rows

WORTH_SELECTING_ROWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class SortKey:
    """One column to order by; of two keys the first decides."""

    cells: Cells
    descending: bool


def in_source_order(rows: Rows, wanted: int | None = None) -> Rows:
    """Return base rows ascending, at least the first `wanted` of them (None: all).

    Within one tenant, and in a dataset without tenants, base rows ascend as source rows do.
    """
    if isinstance(rows, slice):
        return rows
    if wanted is not None and _is_worth_selecting(wanted, len(rows)):
        rows = np.partition(rows, wanted)[:wanted]
    return np.sort(rows)


def first_positions(keys: Sequence[SortKey], count: int, wanted: int) -> Positions:
    """Return the positions of the first `wanted` of `count` rows, in order."""
    if not keys:
        return np.arange(min(count, wanted))
    ranks = [_rank(key) for key in keys]
    if not _is_worth_selecting(wanted, count):
        return _sorted_positions(ranks)[:wanted]
    candidates = _candidates(*ranks[0], wanted)
    kept = [(values[candidates], _take(nulls, candidates)) for values, nulls in ranks]
    return candidates[_sorted_positions(kept)[:wanted]]


_Rank = tuple[npt.NDArray[Any], Bools | None]


def _rank(key: SortKey) -> _Rank:
    """Return values that ascend in the wanted direction, and which are null."""
    values, valid = key.cells.values, key.cells.valid
    if values.dtype == object:
        values = np.unique(values, return_inverse=True)[1]
    if key.descending:
        values = -values if values.dtype.kind == "f" else ~values
    if valid is None or valid.all():
        return values, None
    return np.where(valid, values, values.dtype.type(0)), ~valid


def _sorted_positions(ranks: Sequence[_Rank]) -> Positions:
    columns: list[npt.NDArray[Any]] = []
    for values, nulls in reversed(ranks):
        columns.append(values)
        if nulls is not None:
            columns.append(nulls)
    if len(columns) == 1:
        return np.argsort(columns[0], kind="stable")
    return np.lexsort(columns)


def _candidates(values: npt.NDArray[Any], nulls: Bools | None, wanted: int) -> Positions:
    """Return, ascending, the positions that the first key alone lets into the first `wanted`."""
    present = values if nulls is None else values[~nulls]
    if len(present) <= wanted:
        return np.arange(len(values))
    last = np.partition(present, wanted - 1)[wanted - 1]
    reaches = values <= last
    if nulls is not None:
        reaches &= ~nulls
    return np.flatnonzero(reaches)


def _take(nulls: Bools | None, positions: Positions) -> Bools | None:
    return None if nulls is None else nulls[positions]


def _is_worth_selecting(wanted: int, count: int) -> bool:
    return count > WORTH_SELECTING_ROWS and wanted * 4 < count
