"""Exact sums of integers: as fast as the numbers allow, and never wrapped around."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.query.grouping import Groups
from offloader.query.pieces import apply_at, sums
from offloader.segment.dictionary import DecimalDictionary

_LOW_BITS = 32
_LOW_MASK = 2**_LOW_BITS - 1


def exact_sums(
    values: npt.NDArray[Any], groups: Groups, reach: int | None = None
) -> npt.NDArray[Any]:
    """Return each group's sum, shape (groups.count,): int64, or Python integers if too small.

    `values` are integers of at most 64 bits, signed; at most 2**32 of them. `reach` bounds how far
    they are from 0.
    """
    if not len(values):
        return np.zeros(groups.count, np.int64)
    if reach is None or reach * len(values) >= 2**63:
        reach = max(-int(values.min()), int(values.max()))
    total = reach * len(values)
    if total < 2**63:
        return _int64_sums(values, groups, total)
    high = _int64_sums(values >> _LOW_BITS, groups, 2**63)
    low = _int64_sums(values & _LOW_MASK, groups, 2**63)
    return (high.astype(object) << _LOW_BITS) + low


def exact_sums_of_codes(
    codes: npt.NDArray[Any], dictionary: DecimalDictionary, groups: Groups
) -> npt.NDArray[Any]:
    """Return each group's sum of unscaled decimals, shape (groups.count,), Python integers.

    Each distinct code of a group is read once and multiplied by its number of rows.
    """
    sums = np.zeros(groups.count, object)
    if not len(codes):
        return sums
    size = len(dictionary)
    ids = codes.astype(np.int64) if groups.ids is None else groups.ids * size + codes
    pairs, sizes = np.unique(ids, return_counts=True)
    numbers = dictionary.unscaled_all(pairs % size)
    for group, number, rows in zip((pairs // size).tolist(), numbers, sizes.tolist(), strict=True):
        sums[group] += number * rows
    return sums


def _int64_sums(values: npt.NDArray[Any], groups: Groups, reach: int) -> npt.NDArray[np.int64]:
    if groups.starts is not None:
        return np.add.reduceat(values, groups.starts, dtype=np.int64)
    if groups.ids is None:
        return np.array([np.add.reduce(values, dtype=np.int64)])
    if reach < 2**53:  # doubles hold every partial sum exactly
        return sums(groups.ids, values, groups.count).astype(np.int64)
    total_by_group = np.zeros(groups.count, np.int64)
    apply_at(np.add, total_by_group, groups.ids, values.astype(np.int64, copy=False))
    return total_by_group
