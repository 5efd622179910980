"""Locate: from a bound request to the fewest rows that must be read, and what is left to check.

The tenant's condition comes from the key alone and always takes part; a caller's filter on the
same column can only narrow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offloader.query.conditions import Interval, Physical
from offloader.query.filters import Residual
from offloader.query.locate_freely import locate_freely
from offloader.query.located import Located, cost, nothing
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.query.shape import Candidate, Shape, shape_of

# Checking so many base rows costs as much as putting one row of a path into source order.
WORTH_SORTING = 8


def locate(plan: Plan, bound: Bound, tenant: str | None) -> Located:
    """Choose the access path with the longest usable prefix and look the request up in it.

    Among equals the one with a range, then with the fewest rows, then with the fewest checks left,
    then in the wanted order is taken. A tenant or a value that no row holds locates nothing.
    """
    shape = shape_of(plan, bound.names)
    if shape is None:
        return locate_freely(plan, bound, tenant)
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
    best = found[0] if len(found) == 1 else min(found, key=cost)
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
