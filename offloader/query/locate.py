"""Locate: from a bound request to the fewest rows that must be read, and what is left to check.

The tenant's condition comes from the key alone and always takes part; a caller's filter on the
same column can only narrow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from offloader.query.cells import row_numbers
from offloader.query.conditions import (
    Interval,
    OneOf,
    Physical,
    condition,
    tenant_condition,
)
from offloader.query.filters import Residual
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.segment.read import ColumnView, PathView, Rows

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Where a request's rows are: `spans` of positions in `path`, or of base rows without one.

    Rows must still meet `residual`. `fixed` are the columns that hold one value in all of them.
    They come sorted by `sorted_by` (ascending, nulls last), then in source order.
    `prefix` and `bounds` are what the path was asked; `is_listed` that a list was, value by value.
    """

    path: PathView | None
    spans: tuple[Span, ...]
    residual: tuple[Residual, ...]
    fixed: frozenset[str]
    sorted_by: tuple[str, ...]
    prefix: tuple[Physical, ...] = ()
    bounds: Interval | None = None
    is_listed: bool = False

    @property
    def count(self) -> int:
        """How many rows the spans hold."""
        return sum(end - start for start, end in self.spans)

    def rows(self) -> Rows:
        """Return the located base rows: a slice or a view of the path for a single span."""
        path = self.path
        if len(self.spans) == 1:
            start, end = self.spans[0]
            return slice(start, end) if path is None else path.rows(start, end)
        if path is None or not self.spans:
            return slice(0, 0)
        parts = (path.rows(start, end) for start, end in self.spans)
        return np.concatenate([row_numbers(part) for part in parts])


@dataclass(frozen=True, slots=True)
class _Asked:
    """All conditions of a request: one interval a column, and lists and exceptions beside it."""

    views: Mapping[str, ColumnView]
    intervals: Mapping[str, Interval]
    others: Sequence[Residual]


def locate(plan: Plan, bound: Bound, tenant: str | None) -> Located:
    """Choose the access path with the longest usable prefix and look the request up in it.

    Among equals the one with a range, then with the fewest rows, then with the fewest checks left,
    then in the wanted order is taken. A tenant or a value that no row holds locates nothing.
    """
    asked = _asked(plan, bound, tenant)
    if asked is None:
        return Located(None, (), (), frozenset(), ())
    best: tuple[int, int] = (0, 0)
    candidates: list[PathView] = []
    for path in plan.paths:
        score = _score(path, asked)
        if score > best:
            best, candidates = score, [path]
        elif score == best and score > (0, 0):
            candidates.append(path)
    if not candidates:
        return _scan(plan, asked)
    found = [_look_up(path, best, asked) for path in candidates]
    return min(found, key=lambda located: _cost(plan, located))


def _asked(plan: Plan, bound: Bound, tenant: str | None) -> _Asked | None:
    """Collect the request's conditions; None when no row can meet them."""
    views: dict[str, ColumnView] = {}
    intervals: dict[str, Interval] = {}
    others: list[Residual] = []
    asked: list[Residual] = []
    if plan.tenant is not None:
        asked.append((plan.tenant, tenant_condition(plan.tenant, tenant)))
    for item in plan.filters:
        value = bound.values.get(item.param)
        if value is not None:
            asked.append((item.view, condition(item.view, item.op, item.snap, value)))
    for view, wanted in asked:
        if isinstance(wanted, Interval):
            known = intervals.get(view.name)
            intervals[view.name] = merged = wanted if known is None else known & wanted
            views[view.name] = view
            if merged.is_empty:
                return None
        elif isinstance(wanted, OneOf) and not wanted.values:
            return None
        else:
            others.append((view, wanted))
    return _Asked(views, intervals, others)


def _score(path: PathView, asked: _Asked) -> tuple[int, int]:
    """Return how many key columns are equalled, and whether a range or list follows."""
    length = 0
    for name in path.key_columns:
        interval = asked.intervals.get(name)
        if interval is None:
            return length, int(_listed(name, asked) is not None)
        if not interval.is_point:
            return length, int(interval != Interval())
        length += 1
    return length, 0


def _look_up(path: PathView, score: tuple[int, int], asked: _Asked) -> Located:
    length, has_next = score
    used = set(path.key_columns[:length])
    prefix = tuple(_point(asked.intervals[name]) for name in path.key_columns[:length])
    listed, bounds = None, None
    if has_next:
        following = path.key_columns[length]
        bounds = asked.intervals.get(following)
        listed = None if bounds is not None else _listed(following, asked)
        used.add(following)
    if listed is not None:
        spans = tuple(path.find((*prefix, value)) for value in listed.values)
    elif bounds is not None:
        spans = (path.find(prefix, bounds.low, bounds.high),)
    else:
        spans = (path.find(prefix),)
    fixed = _fixed(asked)
    return Located(
        path=path,
        spans=tuple(span for span in spans if span[0] < span[1]),
        residual=_residual(asked, used, listed),
        fixed=fixed,
        sorted_by=tuple(name for name in path.columns if name not in fixed),
        prefix=prefix,
        bounds=bounds,
        is_listed=listed is not None,
    )


def _cost(plan: Plan, located: Located) -> tuple[int, int, bool]:
    names = (plan.outputs[alias].view.name for alias, _ in plan.order)
    order = tuple(name for name in names if name not in located.fixed)
    is_unordered = located.sorted_by[: max(1, len(order))] != order
    return located.count, len(located.residual), is_unordered


def _scan(plan: Plan, asked: _Asked) -> Located:
    segment, fixed = plan.segment, _fixed(asked)
    order = () if segment.tenant_column is None else (segment.tenant_column,)
    return Located(
        path=None,
        spans=((0, segment.row_count),),
        residual=_residual(asked, set(), None),
        fixed=fixed,
        sorted_by=tuple(name for name in order if name not in fixed),
    )


def _residual(asked: _Asked, used: set[str], listed: OneOf | None) -> tuple[Residual, ...]:
    intervals = (
        (asked.views[name], interval)
        for name, interval in asked.intervals.items()
        if name not in used
    )
    return (*intervals, *(item for item in asked.others if item[1] is not listed))


def _fixed(asked: _Asked) -> frozenset[str]:
    return frozenset(name for name, interval in asked.intervals.items() if interval.is_point)


def _listed(name: str, asked: _Asked) -> OneOf | None:
    for view, wanted in asked.others:
        if view.name == name and isinstance(wanted, OneOf):
            return wanted
    return None


def _point(interval: Interval) -> Physical:
    assert interval.low is not None
    return interval.low
