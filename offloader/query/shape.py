"""Shapes: how all requests that bind the same params are looked up, decided once per plan.

Most requests ask equality on some columns and at most a range on others. Which access paths can
serve that, in which order their rows come and what is left to check follow from the names of the
bound params alone; a request then only has to place its values. Other requests (lists, `ne`,
several conditions on one column) have no shape: `locate` decides for each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

from offloader.query.conditions import Interval, Physical, condition, tenant_condition
from offloader.query.ordering import Ordering, ordering, scan_order
from offloader.query.params import BoundValue
from offloader.query.plan import Plan, PlannedFilter
from offloader.segment.dictionary import Dictionary
from offloader.segment.read import ColumnView, PathView

MAX_SHAPES = 256
_TENANTS_KEPT = 1024
_RANGE_OPS = frozenset({"gt", "gte", "lt", "lte", "prefix"})


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A column that one value fixes: the param's, or the tenant's when `param` is empty.

    `find` returns the value as the column stores it, None when no row can hold it.
    """

    view: ColumnView
    param: str
    find: Callable[[Any], Physical | None]


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """A column between bounds, each from one param."""

    view: ColumnView
    filters: tuple[PlannedFilter, ...]

    def interval(self, values: Mapping[str, BoundValue]) -> Interval:
        """Return what meets all of the filters."""
        found = Interval()
        for item in self.filters:
            wanted = condition(item.view, item.op, item.snap, values[item.param])
            assert isinstance(wanted, Interval)
            found = found & wanted
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One path that can serve a shape, or all base rows without one.

    `points` are the numbers of the shape's points that the path's first key columns equal, in
    their order; `bounds` is the number of its range on the next one, -1 without. The others are
    checked row by row: `loose_points` and `loose_ranges`. Rows come sorted by `sorted_by`.
    `is_base` says that the positions are base rows, in base order, whatever the path's is.
    """

    path: PathView | None
    points: tuple[int, ...]
    bounds: int
    loose_points: tuple[int, ...]
    loose_ranges: tuple[int, ...]
    sorted_by: tuple[str, ...]
    ordering: Ordering
    is_base: bool


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the bound params decide; `fixed` are the columns of the points.

    `base` reads a stretch of base rows and checks the rest. It is there for aggregates that add
    doubles, which must be added in source order: sorting many rows back costs more than checking.
    """

    points: tuple[Point, ...]
    ranges: tuple[Range, ...]
    fixed: frozenset[str]
    candidates: tuple[Candidate, ...]
    base: Candidate | None = None


def shape_of(plan: Plan, names: tuple[str, ...]) -> Shape | None:
    """Return the shape of the requests that bind these params, None when they have none."""
    shape: Shape | None
    try:
        shape = plan.shapes[names]
    except KeyError:
        shape = _make_shape(plan, names)
        if len(plan.shapes) < MAX_SHAPES:
            plan.shapes[names] = shape
    return shape


def _make_shape(plan: Plan, names: Sequence[str]) -> Shape | None:
    active: dict[str, list[PlannedFilter]] = defaultdict(list)
    for item in plan.filters:
        if item.param in names:
            active[item.view.name].append(item)
    points: list[Point] = []
    ranges: list[Range] = []
    if plan.tenant is not None:
        if plan.tenant.name in active:
            return None
        points.append(Point(plan.tenant, "", _tenant_finder(plan.tenant)))
    for items in active.values():
        if all(item.op in _RANGE_OPS for item in items):
            ranges.append(Range(items[0].view, tuple(items)))
        elif len(items) == 1 and items[0].op == "eq":
            points.append(Point(items[0].view, items[0].param, _finder(items[0])))
        else:
            return None
    fixed = frozenset(point.view.name for point in points)
    candidates = _candidates(plan, points, ranges, fixed)
    base = None
    if plan.adds_doubles and not any(c.is_base or c.ordering.group_depth for c in candidates):
        base = _base_candidate(plan, points, ranges, fixed)
    return Shape(tuple(points), tuple(ranges), fixed, candidates, base)


def _candidates(
    plan: Plan, points: Sequence[Point], ranges: Sequence[Range], fixed: frozenset[str]
) -> tuple[Candidate, ...]:
    """Return the paths with the most usable columns, or the scan when none has any.

    Paths that find the same rows are not looked up for each request: the best order is taken.
    """
    point_at = {point.view.name: number for number, point in enumerate(points)}
    range_at = {item.view.name: number for number, item in enumerate(ranges)}
    best = (0, 0)
    found: list[Candidate] = []
    for path in plan.paths:
        used = tuple(point_at[n] for n in takewhile(point_at.__contains__, path.columns))
        following = path.columns[len(used) : len(used) + 1]
        bounds = range_at.get(following[0], -1) if following else -1
        score = (len(used), int(bounds >= 0))
        if score < best or score == (0, 0):
            continue
        if score > best:
            best, found = score, []
        found.append(_candidate(plan, path, used, bounds, (len(points), len(ranges)), fixed))
    if not found:
        return (_whole(plan, (len(points), len(ranges)), fixed),)
    by_rows: dict[tuple[frozenset[int], int], Candidate] = {}
    for candidate in sorted(found, key=_order_cost):
        by_rows.setdefault((frozenset(candidate.points), candidate.bounds), candidate)
    return tuple(by_rows.values())


def _whole(plan: Plan, counts: tuple[int, int], fixed: frozenset[str]) -> Candidate:
    """Return how all rows are read: by a path whose order is the contract's, else as they lie."""
    for path in plan.paths:
        candidate = _candidate(plan, path, (), -1, counts, fixed)
        if candidate.ordering.columns and (candidate.ordering.is_met or candidate.ordering.narrows):
            return candidate
    return _candidate(plan, None, (), -1, counts, fixed)


def _order_cost(candidate: Candidate) -> tuple[bool, bool, bool]:
    order = candidate.ordering
    return not (order.is_met or order.group_depth), not order.narrows, not candidate.is_base


def _base_candidate(
    plan: Plan, points: Sequence[Point], ranges: Sequence[Range], fixed: frozenset[str]
) -> Candidate | None:
    """Return how the tenant's base rows are read, or all of them; None where nothing names them."""
    counts = (len(points), len(ranges))
    if plan.tenant is None:
        return _candidate(plan, None, (), -1, counts, fixed)
    for path in plan.paths:
        if path.columns[0] == plan.tenant.name:
            return _candidate(plan, path, (0,), -1, counts, fixed)
    return None


def _candidate(
    plan: Plan,
    path: PathView | None,
    used: tuple[int, ...],
    bounds: int,
    counts: tuple[int, int],
    fixed: frozenset[str],
) -> Candidate:
    loose_points = tuple(number for number in range(counts[0]) if number not in used)
    loose_ranges = tuple(number for number in range(counts[1]) if number != bounds)
    is_loose = bool(loose_points or loose_ranges)
    if path is None:
        sorted_by = scan_order(plan, fixed)
    else:
        sorted_by = tuple(name for name in path.columns if name not in fixed)
    order = ordering(plan, fixed, sorted_by, None if is_loose else path, len(used))
    is_base = path is None or path.base_rows is None
    if _is_tenant_only(plan, path, used, bounds) and not order.columns and not order.group_depth:
        # All rows of a tenant lie together in base order as well: no row numbers are needed.
        is_base, sorted_by = True, ()
        order = ordering(plan, fixed, sorted_by)
    return Candidate(
        path, used, bounds, loose_points, loose_ranges, sorted_by, order, is_base=is_base
    )


def _is_tenant_only(plan: Plan, path: PathView | None, used: Sequence[int], bounds: int) -> bool:
    """Tell whether a path is asked for one tenant's rows and nothing else."""
    if path is None or plan.tenant is None or bounds >= 0:
        return False
    return len(used) == 1 and path.columns[0] == plan.segment.tenant_column == plan.tenant.name


def _tenant_finder(view: ColumnView) -> Callable[[Any], Physical | None]:
    """Return how a key's tenant is found; the few tenants that call are remembered."""

    @lru_cache(maxsize=_TENANTS_KEPT)
    def find(tenant: str | None) -> Physical | None:
        wanted = tenant_condition(view, tenant)
        return wanted.low if wanted.is_point else None

    return find


def _finder(item: PlannedFilter) -> Callable[[Any], Physical | None]:
    dictionary, snap = item.view.dictionary, item.snap
    if isinstance(dictionary, Dictionary):
        find_text = dictionary.find

        def find_code(value: object) -> int | None:
            code = find_text(str(value).encode())
            return code if code >= 0 else None

        return find_code

    def find(value: Any) -> Physical | None:
        below, above = snap(value)
        return below if below == above else None

    return find
