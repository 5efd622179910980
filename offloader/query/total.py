"""Totals: one aggregate over all of some rows, where it needs no more than one pass of numpy.

What has nulls, does not fit 64 bits or counts distinct values is left to aggregate.py, which gives
the same cells for these as well.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from offloader.catalog.types import MAX_DECIMAL_PRECISION, ColumnType, Kind
from offloader.query.cells import Cells, row_count
from offloader.query.plan import Output
from offloader.segment.read import ColumnView, Rows

_BIGINT = ColumnType(Kind.BIGINT)
_DOUBLE = ColumnType(Kind.DOUBLE)
_SUMMED = (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL)
_add = np.add.reduce


def one_pass_total(output: Output, rows: Rows) -> Cells | None:
    """Return the one cell of an aggregate over `rows`; None when it takes more than one pass."""
    view, count = output.view, row_count(rows)
    if view.valid is not None or not count:
        return None
    if output.agg == "count":
        return Cells(_BIGINT, np.array([count]))
    total = _TOTALS.get(output.agg or "")
    return None if total is None or view.values is None else total(view, rows, count)


def _sum(view: ColumnView, rows: Rows, count: int) -> Cells | None:
    kind = view.type.kind
    if kind is Kind.DOUBLE:
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(_add(view.gather(rows)))
        return Cells(_DOUBLE, np.array([total])) if isfinite(total) else None
    if kind not in _SUMMED or view.reach is None or view.reach * count >= 2**63:
        return None
    total_type = _BIGINT
    if kind is Kind.DECIMAL:
        total_type = ColumnType(Kind.DECIMAL, MAX_DECIMAL_PRECISION, view.type.scale)
    return Cells(total_type, np.array([_add(view.gather(rows), dtype=np.int64)]))


def _extreme(better: np.ufunc) -> Callable[[ColumnView, Rows, int], Cells | None]:
    def extreme(view: ColumnView, rows: Rows, _count: int) -> Cells | None:
        best: Any = better.reduce(view.gather(rows))
        if view.type.kind is Kind.DOUBLE:
            best += 0.0  # -0.0 equals 0.0: which came first must not show
        return Cells(view.type, np.array([best]), None, view.dictionary)

    return extreme


_TOTALS: dict[str, Callable[[ColumnView, Rows, int], Cells | None]] = {
    "sum": _sum,
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
}
