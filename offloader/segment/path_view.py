"""Read an access path: from values to a range of positions by binary search.

A packed key holds one *rank* per key column, the first column in the highest bits. A rank is the
value minus the column's least value; a null's rank is one above the greatest. Doubles are first
mapped to 64-bit integers that order like they do (IEEE 754 total order, with -0 as 0). Columns
behind the packed key are searched through the row numbers, see `path_tail`.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.segment.path_tail import TailColumn

KEY_BITS = 64
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_PAGE_BITS = 6, 16  # at least and at most: 256 bytes to 256 KiB
_PAGE_KEYS_BITS = 10  # a page is about a thousand keys: half of a search is saved for 0.1 % memory
# Least and greatest value (none of a double), shift, and the column.
_Packed = tuple[int, int, int, "KeyColumn"]


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
        if not (self.is_double or low.__class__ is float or high.__class__ is float):
            first = 0 if low is None or low <= self.min else int(low) - self.min
            last = self.max if high is None or high >= self.max else int(high)
            return first, last - self.min
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
    order. `key_columns` is the longest prefix of `columns` that fits the packed key; `tail` holds
    the columns behind it, which are searched row by row. Arrays are read-only views: `keys` uint32
    or uint64 of shape (groups,), `starts` uint32 (groups + 1,) or None when each key has one row,
    `base_rows` uint32 (row_count,) or None for the base order.
    """

    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    row_count: int
    key: tuple[KeyColumn, ...]
    keys: npt.NDArray[np.unsignedinteger]
    starts: npt.NDArray[np.uint32] | None
    base_rows: npt.NDArray[np.uint32] | None
    tail: tuple[TailColumn, ...] = ()
    # Plain ints and memoryviews: numpy takes longer for one number than a whole search by bisect.
    _packed: tuple[_Packed, ...] = field(init=False, repr=False)
    _rests: tuple[int, ...] = field(init=False, repr=False)  # the bits behind n key columns
    _page_shift: int = field(init=False, repr=False)
    _pages: memoryview[int] = field(init=False, repr=False)
    _keys: memoryview[int] = field(init=False, repr=False)
    _starts: memoryview[int] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = None if self.starts is None else self.starts.data
        bits = sum(column.bits for column in self.key)
        shifts = (bits, *(column.shift for column in self.key))
        least, most = _PAGE_BITS
        wanted = len(self.keys).bit_length() - _PAGE_KEYS_BITS
        page_shift = max(0, bits - min(most, max(least, wanted)))
        object.__setattr__(self, "_page_shift", page_shift)
        object.__setattr__(self, "_pages", _pages(self.keys, page_shift, bits - page_shift))
        object.__setattr__(self, "_packed", tuple(map(_packed, self.key)))
        object.__setattr__(self, "_rests", tuple((1 << shift) - 1 for shift in shifts))
        object.__setattr__(self, "_keys", self.keys.data)
        object.__setattr__(self, "_starts", starts)

    @property
    def size_bytes(self) -> int:
        """The bytes of its arrays, most of the part it lies in."""
        arrays = (self.keys, self.starts, self.base_rows)
        return sum(array.nbytes for array in arrays if array is not None)

    def find(
        self, prefix: Sequence[float], low: float | None = None, high: float | None = None
    ) -> tuple[int, int]:
        """Return the positions [a, b) of the rows that match, empty as a == b.

        `prefix` holds physical values (codes, integers, floats) that the first columns equal;
        `low` and `high` are inclusive bounds on the column behind them, and exclude its nulls.
        Raises IndexError when there are more values and bounds than columns.
        """
        place = len(prefix)
        is_bounded = low is not None or high is not None
        if place + is_bounded > len(self._packed):
            return self._find_behind(prefix, low, high)
        first = 0
        for value, (least, greatest, shift, column) in zip(prefix, self._packed, strict=False):
            if value.__class__ is int and least <= value <= greatest:
                first |= value - least << shift
                continue
            rank = column.rank(value)
            if rank < 0:
                return 0, 0
            first |= rank << shift
        if not is_bounded:
            return self._span(first, first | self._rests[place])
        _, _, shift, column = self._packed[place]
        lowest, highest = column.clip(low, high)
        if lowest > highest:
            return 0, 0
        rest = self._rests[place + 1]
        return self._span(first | lowest << shift, first | highest << shift | rest)

    def ties(self, position: int, length: int) -> tuple[int, int]:
        """Return the positions [a, b) around `position` that its first `length` columns equal.

        Nulls equal each other. Raises IndexError when there is no such position.
        """
        span = 0, self.row_count
        packed = self._packed[:length]
        if packed:
            starts = self._starts
            group = position if starts is None else bisect_right(starts, position) - 1
            key, rest = self._keys[group], self._rests[len(packed)]
            span = self._span(key & ~rest, key | rest)
        for column in self.tail[: length - len(packed)]:
            span = column.ties(position, span)
        return span

    def rows(self, a: int, b: int) -> slice | npt.NDArray[np.uint32]:
        """Return the base rows at positions [a, b): a slice in base order, else a view."""
        return slice(a, b) if self.base_rows is None else self.base_rows[a:b]

    def _find_behind(
        self, prefix: Sequence[float], low: float | None, high: float | None
    ) -> tuple[int, int]:
        packed = len(self._packed)
        span = self.find(prefix[:packed])
        for place, value in enumerate(prefix[packed:]):
            span = self.tail[place].narrow(span, value, value)
        if low is not None or high is not None:
            span = self.tail[len(prefix) - packed].narrow(span, low, high)
        return span

    def _span(self, first: int, last: int) -> tuple[int, int]:
        """Return the positions of the keys from `first` to `last`, both inclusive."""
        keys, starts, shift = self._keys, self._starts, self._page_shift
        page, last_page = first >> shift, last >> shift
        a, end = self._pages[page], self._pages[page + 1]
        if first != page << shift:
            a = bisect_left(keys, first, a, end)
        if first == last:
            b = a + (a < end and keys[a] == first)
        elif last + 1 == last_page + 1 << shift:
            b = self._pages[last_page + 1]
        else:
            low = a if page == last_page else self._pages[last_page]
            end, most = self._pages[last_page + 1], a + last - first + 1
            b = bisect_right(keys, last, low, most if most < end else end)
        return (a, b) if starts is None else (starts[a], starts[b])


def _pages(keys: npt.NDArray[np.unsignedinteger], shift: int, bits: int) -> memoryview[int]:
    """Return where the keys begin that share their highest bits, and the end: 2**bits + 1."""
    firsts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(shift)
    found = keys.searchsorted(firsts.astype(keys.dtype))
    return np.append(found, len(keys)).astype(np.uint32).data


def _packed(column: KeyColumn) -> _Packed:
    least, greatest = (1, 0) if column.is_double else (column.min, column.max)
    return least, greatest, column.shift, column


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
