"""Sort rows by several columns at once, fast, stable and always the same.

Each column becomes an unsigned rank of few bits. Ranks and row number are packed into one 64-bit
word, so that one unstable sort of plain integers (vectorised by numpy) gives the one stable
order; what does not fit a word is sorted in several passes, least significant bits first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.segment.path_view import KEY_BITS, KeyColumn

Positions = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, slots=True)
class Field:
    """Ranks below 2**bits, one per row, uint64."""

    ranks: Words
    bits: int


def key_column(
    name: str, values: npt.NDArray[Any], valid: Bools | None, *, is_double: bool, shift: int = 0
) -> KeyColumn:
    """Measure a column: its least and greatest value and how many bits its ranks take."""
    present = values if valid is None else values[valid]
    nulls = len(present) < len(values)
    least, greatest = 0, -1
    if len(present):
        ends = np.array([present.min(), present.max()])
        ordered = ordered_doubles(ends) if is_double else ends
        least, greatest = int(ordered[0]), int(ordered[1])
    bits = max(greatest - least + nulls, 0).bit_length()
    return KeyColumn(name, is_double, least, greatest, nulls, bits, shift)


def ordered_doubles(values: npt.NDArray[np.float64]) -> Words:
    """Map doubles to unsigned integers that order like them; -0 and 0 are one."""
    bits = (values + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def fields_of(column: KeyColumn, values: npt.NDArray[Any], valid: Bools | None) -> list[Field]:
    """Return a column's ranks, most significant field first; nulls rank last.

    A column whose 2**64 values and nulls take 65 bits gets a field of its own for the nulls.
    """
    ordered = ordered_doubles(values) if column.is_double else values.astype(np.uint64)
    ranks = ordered - np.uint64(column.min % (1 << KEY_BITS))
    if not column.nulls or valid is None:
        return [Field(ranks, column.bits)]
    if column.bits > KEY_BITS:
        ranks[~valid] = 0
        return [Field((~valid).astype(np.uint64), 1), Field(ranks, KEY_BITS)]
    ranks[~valid] = column.max - column.min + 1
    return [Field(ranks, column.bits)]


def pack(fields: Sequence[Field], row_count: int) -> Words:
    """Pack fields of at most 64 bits together into one word per row, the first one highest."""
    word = np.zeros(row_count, np.uint64)
    for field in fields:
        if field.bits:
            word <<= np.uint64(field.bits % KEY_BITS)
            word |= field.ranks
    return word


def sorted_positions(fields: Sequence[Field], row_count: int) -> Positions:
    """Return the row positions in the stable ascending order of `fields`, int64 (row_count,)."""
    row_bits = max(row_count - 1, 0).bit_length()
    rows = np.arange(row_count, dtype=np.uint64)
    mask = np.uint64((1 << row_bits) - 1)
    order: Positions | None = None
    for word in _words(fields, KEY_BITS - row_bits):
        packed = word if order is None else word.take(order)
        packed <<= np.uint64(row_bits)
        packed |= rows
        packed.sort()
        packed &= mask
        places = packed.view(np.int64)
        order = places if order is None else order.take(places)
    return rows.view(np.int64) if order is None else order


def _words(fields: Sequence[Field], width: int) -> Iterator[Words]:
    """Cut the fields' bits into words of at most `width` bits, the least significant first."""
    word: Words | None = None
    used = 0
    for field in reversed(fields):
        taken = 0
        while taken < field.bits:
            room = min(width - used, field.bits - taken)
            piece = field.ranks >> np.uint64(taken)
            piece &= np.uint64((1 << room) - 1)
            piece <<= np.uint64(used)
            word = piece if word is None else np.bitwise_or(word, piece, out=word)
            used, taken = used + room, taken + room
            if used == width:
                yield word
                word, used = None, 0
    if word is not None:
        yield word
