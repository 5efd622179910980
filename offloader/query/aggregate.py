"""Aggregates over groups, with SQL's rules: nulls are left out, no value at all gives null.

    count, count_distinct   integers, never null
    sum                     exact for integers and decimals, however large; doubles are added in
                            source order, so that every worker and every access path agrees
    avg                     a double: the exact sum by the count, rounded once (of doubles: their
                            sum by the count)
    min, max                keep the column's type
A double sum that overflows is null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.model import Agg
from offloader.catalog.types import MAX_DECIMAL_PRECISION, ColumnType, Kind
from offloader.query.cells import Cells
from offloader.query.exact_sum import exact_sums, exact_sums_of_codes
from offloader.query.grouping import Groups, ranks
from offloader.query.pieces import apply_at, counts, distinct, sums
from offloader.segment.dictionary import DecimalDictionary

_BIGINT = ColumnType(Kind.BIGINT)
_DOUBLE = ColumnType(Kind.DOUBLE)
_EXACT_DOUBLE = 2**53


def aggregate(agg: Agg, cells: Cells, groups: Groups) -> Cells:
    """Return one cell a group, shape (groups.count,)."""
    if cells.valid is not None:
        ids = None if groups.ids is None else groups.ids[cells.valid]
        groups = Groups(groups.count, ids, groups.examples)
        values = cells.values[cells.valid]
        cells = Cells(cells.type, values, None, cells.dictionary, cells.reach)
    return _AGGREGATES[agg](cells, groups)


def _count(cells: Cells, groups: Groups) -> Cells:
    return Cells(_BIGINT, _sizes(cells, groups))


def _count_distinct(cells: Cells, groups: Groups) -> Cells:
    if groups.ids is None:
        return Cells(_BIGINT, np.array([len(distinct(cells.values))]))
    codes, size = ranks(cells)
    if groups.count * size >= 2**63:
        size, codes = len(codes), np.unique(codes, return_inverse=True)[1]
    pairs = distinct(groups.ids * size + codes)
    return Cells(_BIGINT, np.bincount(pairs // size, minlength=groups.count))


def _sum(cells: Cells, groups: Groups) -> Cells:
    sums, sizes = _sums(cells, groups), _sizes(cells, groups)
    if cells.type.kind is Kind.DOUBLE:
        return _doubles(sums, sizes)
    result_type = _BIGINT
    if cells.type.kind is Kind.DECIMAL:
        result_type = ColumnType(Kind.DECIMAL, MAX_DECIMAL_PRECISION, cells.type.scale)
    return Cells(result_type, sums, sizes > 0)


def _avg(cells: Cells, groups: Groups) -> Cells:
    sums, sizes = _sums(cells, groups), _sizes(cells, groups)
    divisors = np.maximum(sizes, 1)
    if cells.type.kind is Kind.DOUBLE:
        return _doubles(sums / divisors, sizes)
    scale = 10**cells.type.scale
    pairs = zip(sums.tolist(), divisors.tolist(), strict=True)
    return _doubles(np.array([total / (size * scale) for total, size in pairs], np.float64), sizes)


def _min(cells: Cells, groups: Groups) -> Cells:
    return _extreme(cells, groups, np.minimum)


def _max(cells: Cells, groups: Groups) -> Cells:
    return _extreme(cells, groups, np.maximum)


def _extreme(cells: Cells, groups: Groups, better: np.ufunc) -> Cells:
    values = cells.values
    if values.dtype.kind == "f":
        values = values + 0.0  # -0.0 equals 0.0: which came first must not show
    if groups.starts is not None:
        best = better.reduceat(values, groups.starts)
        return Cells(cells.type, best, None, cells.dictionary)
    if groups.ids is None and len(values):
        return Cells(cells.type, np.array([better.reduce(values)]), None, cells.dictionary)
    best = np.zeros(groups.count, values.dtype)
    if groups.ids is not None:
        best[groups.ids] = values
        apply_at(better, best, groups.ids, values)
    return Cells(cells.type, best, _sizes(cells, groups) > 0, cells.dictionary)


def _sums(cells: Cells, groups: Groups) -> npt.NDArray[Any]:
    if isinstance(cells.dictionary, DecimalDictionary):
        return exact_sums_of_codes(cells.values, cells.dictionary, groups)
    if cells.values.dtype.kind != "f":
        return exact_sums(cells.values, groups, cells.reach)
    with np.errstate(over="ignore", invalid="ignore"):
        if groups.ids is None:
            return np.array([np.add.reduce(cells.values)])
        return sums(groups.ids, cells.values, groups.count)


def _sizes(cells: Cells, groups: Groups) -> npt.NDArray[np.int64]:
    if groups.starts is not None:
        return groups.stretch_sizes()
    if groups.ids is None:
        return np.array([len(cells)])
    return counts(groups.ids, groups.count)


def _doubles(values: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64]) -> Cells:
    return Cells(_DOUBLE, values, (sizes > 0) & np.isfinite(values))


_AGGREGATES: Mapping[Agg, Callable[[Cells, Groups], Cells]] = {
    "sum": _sum,
    "avg": _avg,
    "min": _min,
    "max": _max,
    "count": _count,
    "count_distinct": _count_distinct,
}
