"""Filters: which of some rows meet the conditions that no access path has answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.query.cells import Bools, Positions
from offloader.query.conditions import NOT_NULL, Condition, Except, Interval
from offloader.segment.read import ColumnView, Rows

Residual = tuple[ColumnView, Condition]


def matching(rows: Rows, residual: Sequence[Residual]) -> Rows:
    """Return those of `rows` that meet every condition, in the same order."""
    if not residual:
        return rows
    if isinstance(rows, slice):
        mask = _matches(rows, *residual[0])
        for view, condition in residual[1:]:
            mask &= _matches(rows, view, condition)
        found: Positions = np.flatnonzero(mask) + rows.start
        return found
    for view, condition in residual:
        rows = rows[_matches(rows, view, condition)]
    return rows


def _matches(rows: Rows, view: ColumnView, condition: Condition) -> Bools:
    """Return a new array: true where the value is there and meets the condition."""
    valid = view.is_valid(rows)
    if condition == NOT_NULL and valid is not None:
        return valid
    values = view.gather(rows)
    mask: Bools
    if isinstance(condition, Except):
        mask = values != condition.value
    elif isinstance(condition, Interval):
        mask = _inside(values, condition)
    else:
        mask = np.isin(values, _as_array(condition.values, values.dtype))
    if valid is not None:
        mask &= valid
    return mask


def _inside(values: npt.NDArray[Any], interval: Interval) -> Bools:
    low, high = interval.low, interval.high
    mask: Bools
    if low is None:
        mask = np.ones(len(values), np.bool_) if high is None else values <= high
    elif low == high:
        mask = values == low
    else:
        mask = values >= low
        if high is not None:
            mask &= values <= high
    return mask


def _as_array(values: Sequence[int | float], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.array(values, np.float64 if dtype.kind == "f" else np.int64)
