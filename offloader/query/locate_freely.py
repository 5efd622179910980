"""Locate freely: requests without a shape, whose conditions are put together one by one.

They have lists, `ne`, or several conditions on one column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offloader.query.conditions import Interval, OneOf, Physical, condition, tenant_condition
from offloader.query.filters import Residual
from offloader.query.located import Located, cost, nothing
from offloader.query.ordering import ordering, scan_order
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.segment.read import ColumnView, PathView

# Lists on several columns are looked up value by value while there are so few of them.
MAX_LOOK_UPS = 400


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


def locate_freely(plan: Plan, bound: Bound, tenant: str | None) -> Located:
    """Choose the path that the most conditions can use, and look the request up in it."""
    asked = _asked(plan, bound, tenant)
    if asked is None:
        return nothing()
    uses = [_use(path, asked) for path in plan.paths]
    best = max((use.score for use in uses), default=(0, 0))
    if best == (0, 0):
        return _scan(plan, asked)
    found = [_look_up_use(plan, use, asked) for use in uses if use.score == best]
    return min(found, key=cost)


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
