"""Grouping: number the groups of some rows, in the order of their keys.

Keys are packed into one integer a row: the rank of each column's value, a null's rank above all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.query.cells import Cells, Positions
from offloader.query.pieces import counts
from offloader.segment.read import PathView

Ranks = npt.NDArray[np.int64]
_MAX_KEYS = 2**62
_DENSE_KEYS = 4096


class Groups:
    """Numbers of groups. They ascend with the keys, nulls last.

    `ids` is each row's group number, shape (rows,), None when all rows are one group. `examples`
    is one row's position for each group. `starts` is where each group begins when rows come group
    by group, no group empty, else None.
    """

    __slots__ = ("_ids", "_rows", "count", "examples", "starts")

    def __init__(self, count: int, ids: Positions | None, examples: Positions) -> None:
        self.count = count
        self.examples = examples
        self.starts: Positions | None = None
        self._ids = ids
        self._rows = 0

    @classmethod
    def in_turn(cls, starts: Positions, rows: int) -> Groups:
        """Return the groups of `rows` rows that come group by group."""
        groups = cls(len(starts), None, starts)
        groups.starts, groups._rows = starts, rows
        return groups

    @property
    def ids(self) -> Positions | None:
        """Return each row's group number; None when all rows are one group."""
        if self._ids is None and self.starts is not None:
            self._ids = np.repeat(np.arange(self.count), self.stretch_sizes())
        return self._ids

    def stretch_sizes(self) -> npt.NDArray[np.int64]:
        """Return how many rows each group has, where rows come group by group."""
        assert self.starts is not None
        sizes = np.empty(self.count, np.int64)
        np.subtract(self.starts[1:], self.starts[:-1], out=sizes[:-1])
        sizes[-1] = self._rows - self.starts[-1]
        return sizes


ONE_GROUP = Groups(1, None, np.zeros(1, np.intp))


def group_rows(keys: Sequence[Cells], count: int) -> Groups:
    """Group `count` rows by their key columns; without columns they are one group, even if 0."""
    if not keys:
        return Groups(1, None, np.zeros(min(count, 1), np.intp))
    packed, size = ranks(keys[0])
    for cells in keys[1:]:
        following, width = ranks(cells)
        if size * width > _MAX_KEYS:
            packed, size = _compact(packed)
            following, width = _compact(following)
        packed = packed * width + following
        size *= width
    ids, groups = _numbered(packed, size)
    examples = np.zeros(groups, np.intp)
    examples[ids] = np.arange(count)
    return Groups(groups, ids, examples)


def group_stretch(path: PathView, span: tuple[int, int], depth: int) -> Groups:
    """Group the rows at positions [a, b) of a path, b > a, by its first `depth` key columns.

    The path has them sorted by these columns, so that groups follow one another.
    """
    a, b = span
    first, last, begins = a, b, path.starts
    if begins is not None:
        first = int(begins.searchsorted(begins.dtype.type(a), "right")) - 1
        last = int(begins.searchsorted(begins.dtype.type(b), "left"))
    keys = path.keys[first:last]
    shift = path.key[depth - 1].shift
    if shift:
        keys = keys >> keys.dtype.type(shift)
        changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        firsts = np.concatenate([np.zeros(1, np.intp), changes])
    else:
        firsts = np.arange(last - first)
    starts = firsts if begins is None else begins[firsts + first].astype(np.intp) - a
    return Groups.in_turn(starts, b - a)


def ranks(cells: Cells) -> tuple[Ranks, int]:
    """Return integers in [0, size) that order and equal as the cells do, null last; and size."""
    values, valid = cells.values, cells.valid
    found = values if valid is None else values[valid]
    if not len(found):
        return np.zeros(len(values), np.int64), 1
    if values.dtype.kind == "f":
        distinct, inverse = np.unique(found, return_inverse=True)
        return _with_nulls(inverse.astype(np.int64), valid, len(distinct))
    least, greatest = int(found.min()), int(found.max())
    if greatest - least >= _MAX_KEYS:
        distinct, inverse = np.unique(found, return_inverse=True)
        return _with_nulls(inverse.astype(np.int64), valid, len(distinct))
    return _with_nulls(found.astype(np.int64) - least, valid, greatest - least + 1)


def _with_nulls(found: Ranks, valid: Any, size: int) -> tuple[Ranks, int]:
    if valid is None:
        return found, size
    full = np.full(len(valid), size, np.int64)
    full[valid] = found
    return full, size + 1


def _compact(packed: Ranks) -> tuple[Ranks, int]:
    """Renumber keys without gaps, so that at most one per row remains."""
    distinct, inverse = np.unique(packed, return_inverse=True)
    return inverse.astype(np.int64), max(len(distinct), 1)


def _numbered(packed: Ranks, size: int) -> tuple[Positions, int]:
    """Number the keys that occur: by a table when there may be few, else by a sort."""
    if size > max(_DENSE_KEYS, 2 * len(packed)):
        distinct, inverse = np.unique(packed, return_inverse=True)
        return inverse, len(distinct)
    present = counts(packed, size) > 0
    numbers = np.cumsum(present) - 1
    return numbers[packed], int(present.sum())
