"""Locate: from a bound request to the fewest rows that must be read, and what is left to check.

The tenant's condition comes from the key alone and always takes part; a caller's filter on the
same column can only narrow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from offloader.query.shape import Candidate, Ordering, Shape, ordering, scan_order, shape_of
from offloader.segment.read import ColumnView, PathView, Rows

Span = tuple[int, int]
# Lists on several key columns are looked up value by value while there are so few of them.
MAX_LOOK_UPS = 400
# Checking so many base rows costs as much as putting one row of a path into source order.
WORTH_SORTING = 8


@dataclass(slots=True, eq=False)
class Located:
    """Where a request's rows are: `spans` of positions in `path`, or of base rows without one.

    Rows must still meet `residual`. `fixed` are the columns that hold one value in all of them.
    They come sorted by `sorted_by` (ascending, nulls last), then in source order; `ordering`
    compares that with the contract's order. `prefix` and `bounds` are what the path was asked;
    `is_listed` that a list was, value by value; `is_base` that positions are base rows.
    """

    path: PathView | None
    spans: tuple[Span, ...]
    residual: tuple[Residual, ...]
    fixed: frozenset[str]
    sorted_by: tuple[str, ...]
    ordering: Ordering
    prefix: tuple[Physical, ...] = ()
    bounds: Interval | None = None
    is_listed: bool = False
    is_base: bool = False

    @property
    def count(self) -> int:
        """How many rows the spans hold."""
        if len(self.spans) == 1:
            return self.spans[0][1] - self.spans[0][0]
        return sum(end - start for start, end in self.spans)

    def rows(self) -> Rows:
        """Return the located base rows: a slice or a view of the path for a single span."""
        path = self.path
        if len(self.spans) == 1:
            start, end = self.spans[0]
            return slice(start, end) if self.is_base or path is None else path.rows(start, end)
        if path is None or not self.spans:
            return slice(0, 0)
        parts = (path.rows(start, end) for start, end in self.spans)
        return np.concatenate([row_numbers(part) for part in parts])


_NO_ORDERING = Ordering((), is_met=True, narrows=False)


def nothing() -> Located:
    """Return the place of no row."""
    return Located(None, (), (), frozenset(), (), _NO_ORDERING)


def locate(plan: Plan, bound: Bound, tenant: str | None) -> Located:
    """Choose the access path with the longest usable prefix and look the request up in it.

    Among equals the one with a range, then with the fewest rows, then with the fewest checks left,
    then in the wanted order is taken. A tenant or a value that no row holds locates nothing.
    """
    shape = shape_of(plan, bound.names)
    if shape is None:
        return _locate_unshaped(plan, bound, tenant)
    points: list[Physical] = []
    for point in shape.points:
        value = point.find(bound.values[point.param] if point.param else tenant)
        if value is None:
            return nothing()
        points.append(value)
    intervals: list[Interval] = []
    for item in shape.ranges:
        interval = item.interval(bound.values)
        if interval.is_empty:
            return nothing()
        intervals.append(interval)
    found = [_look_up(plan, shape, one, points, intervals) for one in shape.candidates]
    best = found[0] if len(found) == 1 else min(found, key=_cost)
    if shape.base is not None and not best.is_base:
        base = _look_up(plan, shape, shape.base, points, intervals)
        return base if base.count < best.count * WORTH_SORTING else best
    return best


def _look_up(
    plan: Plan,
    shape: Shape,
    candidate: Candidate,
    points: Sequence[Physical],
    intervals: Sequence[Interval],
) -> Located:
    path, bounds = candidate.path, None
    prefix = tuple([points[number] for number in candidate.points])
    if path is None:
        span = (0, plan.segment.row_count)
    elif candidate.bounds >= 0:
        bounds = intervals[candidate.bounds]
        span = path.find(prefix, bounds.low, bounds.high)
    else:
        span = path.find(prefix)
    residual: tuple[Residual, ...] = ()
    if candidate.loose_points or candidate.loose_ranges:
        residual = tuple(_loose(shape, candidate, points, intervals))
    return Located(
        path,
        (span,) if span[0] < span[1] else (),
        residual,
        shape.fixed,
        candidate.sorted_by,
        candidate.ordering,
        prefix,
        bounds,
        is_base=candidate.is_base,
    )


def _loose(
    shape: Shape,
    candidate: Candidate,
    points: Sequence[Physical],
    intervals: Sequence[Interval],
) -> Iterator[Residual]:
    for number in candidate.loose_points:
        yield shape.points[number].view, Interval(points[number], points[number])
    for number in candidate.loose_ranges:
        yield shape.ranges[number].view, intervals[number]


def _cost(located: Located) -> tuple[int, int, bool]:
    order = located.ordering
    is_ordered = order.is_met or order.narrows or order.group_depth > 0
    return located.count, len(located.residual), not is_ordered


@dataclass(frozen=True, slots=True)
class _Asked:
    """All conditions of a request: one interval a column, and lists and exceptions beside it."""

    views: Mapping[str, ColumnView]
    intervals: Mapping[str, Interval]
    others: Sequence[Residual]


@dataclass(frozen=True, slots=True)
class _Use:
    """How a path serves a request: lists and points on its first key columns, then bounds."""

    path: PathView
    columns: tuple[str, ...]
    prefixes: tuple[tuple[Physical, ...], ...]
    lists: tuple[OneOf, ...]
    bounds: Interval | None

    @property
    def score(self) -> tuple[int, int]:
        """How many key columns are used for equality, and whether a range follows."""
        return len(self.columns), int(self.bounds is not None)


def _locate_unshaped(plan: Plan, bound: Bound, tenant: str | None) -> Located:
    asked = _asked(plan, bound, tenant)
    if asked is None:
        return nothing()
    uses = [_use(path, asked) for path in plan.paths]
    best = max((use.score for use in uses), default=(0, 0))
    if best == (0, 0):
        return _scan(plan, asked)
    found = [_look_up_use(plan, use, asked) for use in uses if use.score == best]
    return min(found, key=_cost)


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


def _use(path: PathView, asked: _Asked) -> _Use:
    """Walk the key columns as long as the request names values for them."""
    prefixes: list[tuple[Physical, ...]] = [()]
    columns: list[str] = []
    lists: list[OneOf] = []
    bounds = None
    for name in path.columns:
        interval, listed = asked.intervals.get(name), _listed(name, asked)
        if interval is not None and interval.is_point:
            values: tuple[Physical, ...] = (_point(interval),)
        elif interval is not None:
            bounds = None if interval == Interval() else interval
            break
        elif listed is not None and len(prefixes) * len(listed.values) <= MAX_LOOK_UPS:
            values = listed.values
            lists.append(listed)
        else:
            break
        prefixes = [(*prefix, value) for prefix in prefixes for value in values]
        columns.append(name)
    return _Use(path, tuple(columns), tuple(prefixes), tuple(lists), bounds)


def _look_up_use(plan: Plan, use: _Use, asked: _Asked) -> Located:
    path, bounds = use.path, use.bounds
    used = set(use.columns)
    following = path.columns[len(used) : len(used) + 1]
    if bounds is not None:
        used.update(following)
        spans = (path.find(prefix, bounds.low, bounds.high) for prefix in use.prefixes)
    else:
        spans = (path.find(prefix) for prefix in use.prefixes)
    residual = _residual(asked, used, use.lists)
    whole = None if residual or use.lists else path
    fixed = _fixed(asked)
    sorted_by = tuple(name for name in path.columns if name not in fixed)
    return Located(
        path=path,
        spans=tuple(span for span in spans if span[0] < span[1]),
        residual=residual,
        fixed=fixed,
        sorted_by=sorted_by,
        ordering=ordering(plan, fixed, sorted_by, whole, len(use.columns)),
        prefix=use.prefixes[0],
        bounds=bounds,
        is_listed=bool(use.lists),
    )


def _scan(plan: Plan, asked: _Asked) -> Located:
    fixed = _fixed(asked)
    sorted_by = scan_order(plan, fixed)
    return Located(
        path=None,
        spans=((0, plan.segment.row_count),),
        residual=_residual(asked, set(), ()),
        fixed=fixed,
        sorted_by=sorted_by,
        ordering=ordering(plan, fixed, sorted_by),
    )


def _residual(asked: _Asked, used: set[str], lists: Sequence[OneOf]) -> tuple[Residual, ...]:
    intervals = (
        (asked.views[name], interval)
        for name, interval in asked.intervals.items()
        if name not in used
    )
    others = (item for item in asked.others if not any(item[1] is listed for listed in lists))
    return (*intervals, *others)


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
