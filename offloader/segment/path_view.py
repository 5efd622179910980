"""Read an access path: from values to a range of positions with two binary searches.

A packed key holds one *rank* per key column, the first column in the highest bits. A rank is the
value minus the column's least value; a null's rank is one above the greatest. Doubles are first
mapped to 64-bit integers that order like they do (IEEE 754 total order, with -0 as 0).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

KEY_BITS = 64
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """One column's place in the packed key.

    Values run from `min` to `max` (of a double: as ordered integers), `nulls` says whether a rank
    above `max` is in use, `bits` is the width of the field and `shift` its lowest bit.
    """

    column: str
    is_double: bool
    min: int
    max: int
    nulls: bool
    bits: int
    shift: int

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> KeyColumn:
        """Make a key column of a descriptor's `key` entry; raise KeyError or TypeError."""
        return cls(**{name: entry[name] for name in cls.__slots__})

    def as_json(self) -> dict[str, object]:
        """Return the descriptor's `key` entry."""
        return {name: getattr(self, name) for name in self.__slots__}

    def rank(self, value: int | float) -> int:
        """Return the rank of exactly `value`, or -1 when no row can hold it."""
        if self.is_double:
            value = ordered_double(value) if _is_double(value) else self.min - 1
        elif isinstance(value, float):
            value = int(value) if value.is_integer() else self.min - 1
        return value - self.min if self.min <= value <= self.max else -1

    def clip(self, low: int | float | None, high: int | float | None) -> tuple[int, int]:
        """Return the least and greatest rank inside [low, high]; least > greatest if none."""
        if low != low or high != high:  # NaN is neither below nor above anything
            return 1, 0
        first = self.min if low is None else self._at_least(low)
        last = self.max if high is None else self._at_most(high)
        return max(first, self.min) - self.min, min(last, self.max) - self.min

    def _at_least(self, low: int | float) -> int:
        if not self.is_double:
            return _whole(low, math.ceil)
        near = _nearest_double(low)
        return ordered_double(near if near >= low else math.nextafter(near, math.inf))

    def _at_most(self, high: int | float) -> int:
        if not self.is_double:
            return _whole(high, math.floor)
        near = _nearest_double(high)
        return ordered_double(near if near <= high else math.nextafter(near, -math.inf))


@dataclass(frozen=True, slots=True, eq=False)
class PathView:
    """One access path of an open segment.

    Positions count rows in the path's order: by `columns`, ascending, nulls last, ties in source
    order. `key_columns` is the longest prefix of `columns` that `find` can search. Arrays are
    read-only views: `keys` uint32 or uint64 of shape (groups,), `starts` uint32 (groups + 1,) or
    None when each key has one row, `base_rows` uint32 (row_count,) or None for the base order.
    """

    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    row_count: int
    key: tuple[KeyColumn, ...]
    keys: npt.NDArray[np.unsignedinteger]
    starts: npt.NDArray[np.uint32] | None
    base_rows: npt.NDArray[np.uint32] | None

    def find(
        self,
        prefix: Sequence[int | float],
        low: int | float | None = None,
        high: int | float | None = None,
    ) -> tuple[int, int]:
        """Return the positions [a, b) of the rows that match, empty as (0, 0) or a == b.

        `prefix` holds physical values (codes, integers, floats) that the first key columns equal;
        `low` and `high` are inclusive bounds on the key column behind them, and exclude its nulls.
        Raises IndexError when there are more values and bounds than key columns.
        """
        first = 0
        for place, value in enumerate(prefix):
            column = self.key[place]
            rank = column.rank(value)
            if rank < 0:
                return 0, 0
            first |= rank << column.shift
        if low is not None or high is not None:
            column = self.key[len(prefix)]
            least, greatest = column.clip(low, high)
            if least > greatest:
                return 0, 0
            last = first | greatest << column.shift | (1 << column.shift) - 1
            return self._positions(first | least << column.shift, last)
        if not prefix:
            return 0, self.row_count
        return self._positions(first, first | (1 << column.shift) - 1)

    def rows(self, a: int, b: int) -> slice | npt.NDArray[np.uint32]:
        """Return the base rows at positions [a, b): a slice in base order, else a view."""
        return slice(a, b) if self.base_rows is None else self.base_rows[a:b]

    def _positions(self, first: int, last: int) -> tuple[int, int]:
        number = self.keys.dtype.type
        a = self.keys.searchsorted(number(first), "left")
        b = self.keys.searchsorted(number(last), "right")
        if self.starts is None:
            return int(a), int(b)
        return int(self.starts[a]), int(self.starts[b])


def ordered_double(value: float) -> int:
    """Map a double to an unsigned 64-bit integer that orders like it; -0 and 0 are one."""
    bits = int(struct.unpack("<Q", struct.pack("<d", value + 0.0))[0])
    return bits ^ (_ALL if bits & _SIGN else _SIGN)


def _is_double(value: int | float) -> bool:
    return _nearest_double(value) == value


def _nearest_double(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _whole(value: int | float, rounded: Any) -> int:
    if isinstance(value, float) and math.isinf(value):
        return _ALL if value > 0 else -_ALL
    return int(rounded(value))
