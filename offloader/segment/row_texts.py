"""Read row texts: the JSON of rows, encoded when the segment was built, as slices of its memory.

Rows stand one behind the other in one order, each followed by a comma: rows i to j - 1 are
`bytes[offsets[i]:offsets[j] - 1]`, which is `row,row,row`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Pairs = tuple[tuple[str, str], ...]
_Arrays = Mapping[str, npt.NDArray[Any]]
_OFFSETS = ("uint32", "int64")


@dataclass(frozen=True, slots=True, eq=False)
class RowTexts:
    """The JSON texts of all rows of a segment; positions count rows in the order they stand in.

    `columns` are the aliases in each text, `sources` the segment's columns behind them. `order`
    names the access path whose order this is, empty for base order. `ends` is `offsets` (uint32
    or int64, shape (row_count + 1,)) for reading one by one. `places` (uint32, shape
    (row_count,)) is each base row's position, or None where they are the same. All read-only.

    What is returned are views of the segment's memory, without the comma behind. Numbers out of
    range raise IndexError.
    """

    columns: tuple[str, ...]
    sources: tuple[str, ...]
    order: tuple[str, ...]
    row_count: int
    offsets: npt.NDArray[np.integer]
    places: npt.NDArray[np.uint32] | None
    data: memoryview
    ends: memoryview

    @property
    def size_bytes(self) -> int:
        """The bytes of its buffers, most of the part it lies in."""
        places = 0 if self.places is None else self.places.nbytes
        return self.data.nbytes + self.offsets.nbytes + places

    def slice_of(self, first: int, last: int) -> memoryview:
        """Return the rows at positions [first, last), commas between; empty when there are none."""
        if last <= first:
            return self.data[:0]
        return self.data[self.ends[first] : self.ends[last] - 1]

    def rows_of(self, first: int, last: int) -> list[memoryview]:
        """Return the rows at positions [first, last) one by one."""
        return self._each(range(first, last))

    def at_rows(self, rows: npt.NDArray[np.integer]) -> list[memoryview]:
        """Return the rows of a list of base rows, in that order."""
        return self._each((rows if self.places is None else self.places.take(rows)).tolist())

    def _each(self, positions: Iterable[int]) -> list[memoryview]:
        # Single look-ups in a memoryview cost a third of those in an array, and take no set-up.
        data, ends = self.data, self.ends
        return [data[ends[at] : ends[at + 1] - 1] for at in positions]


@dataclass(frozen=True, slots=True)
class SkippedRowTexts:
    """Row texts that were not built, because they would take about `wanted_bytes`."""

    columns: tuple[str, ...]
    sources: tuple[str, ...]
    order: tuple[str, ...]
    wanted_bytes: int
    limit_bytes: int


def find_texts(texts: Iterable[RowTexts], pairs: Sequence[tuple[str, str]]) -> RowTexts | None:
    """Return the texts that hold exactly these (alias, column) pairs in this order, if any do."""
    wanted = tuple(pairs)
    for one in texts:
        if tuple(zip(one.columns, one.sources, strict=True)) == wanted:
            return one
    return None


def open_row_texts(head: Mapping[str, Any], arrays: _Arrays) -> RowTexts | SkippedRowTexts:
    """Make row texts of a part's descriptor and buffers.

    Raises KeyError, TypeError or ValueError when it does not describe a part of row texts.
    """
    columns = tuple(str(alias) for alias, _ in head["columns"])
    sources = tuple(str(name) for _, name in head["columns"])
    order = tuple(head["order"])
    if head["skipped"]:
        sizes = (int(head["wanted_bytes"]), int(head["limit_bytes"]))
        return SkippedRowTexts(columns, sources, order, *sizes)
    count: int = head["row_count"]
    offsets, text, places = arrays["offsets"], arrays["bytes"], arrays.get("places")
    if offsets.dtype.name not in _OFFSETS or len(offsets) != count + 1:
        raise ValueError("it has not one offset per row")
    if offsets[0] != 0 or offsets[-1] != len(text):
        raise ValueError("its texts end elsewhere")
    if places is not None and (places.dtype != np.uint32 or len(places) != count):
        raise ValueError("it has not one place per row")
    data = text.data
    return RowTexts(columns, sources, order, count, offsets, places, data, offsets.data)
