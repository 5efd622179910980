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
from typing import Any

from offloader.query.conditions import Interval, Physical, condition, tenant_condition
from offloader.query.params import BoundValue
from offloader.query.plan import Plan, PlannedFilter
from offloader.segment.dictionary import Dictionary
from offloader.segment.read import ColumnView, PathView

OrderColumns = tuple[tuple[ColumnView, bool], ...]
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
class Ordering:
    """How located rows relate to the contract's order.

    `columns` decide it: without repeats and those that are the same in all rows. `is_met` says that
    rows come in it, ties included; `narrows` that the path can name the rows up to a page's end.
    """

    columns: OrderColumns
    is_met: bool
    narrows: bool


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One path that can serve a shape, or all base rows without one.

    `points` are the numbers of the shape's points that the path's first key columns equal, in
    their order; `bounds` is the number of its range on the next one, -1 without. The others are
    checked row by row: `loose_points` and `loose_ranges`. Rows come sorted by `sorted_by`.
    """

    path: PathView | None
    points: tuple[int, ...]
    bounds: int
    loose_points: tuple[int, ...]
    loose_ranges: tuple[int, ...]
    sorted_by: tuple[str, ...]
    ordering: Ordering


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the bound params decide; `fixed` are the columns of the points."""

    points: tuple[Point, ...]
    ranges: tuple[Range, ...]
    fixed: frozenset[str]
    candidates: tuple[Candidate, ...]


def shape_of(plan: Plan, bound: Mapping[str, BoundValue]) -> Shape | None:
    """Return the shape of a request, None when it has none."""
    names = tuple(bound)
    shape: Shape | None
    try:
        shape = plan.shapes[names]
    except KeyError:
        shape = _make_shape(plan, names)
        if len(plan.shapes) < MAX_SHAPES:
            plan.shapes[names] = shape
    return shape


def ordering(
    plan: Plan, fixed: frozenset[str], sorted_by: Sequence[str], next_key: str | None
) -> Ordering:
    """Compare the order of located rows with the contract's.

    `next_key` is the key column behind the equal ones, None when the rows are not one stretch of
    a path or must still be checked.
    """
    order: dict[str, tuple[ColumnView, bool]] = {}
    for alias, descending in plan.order:
        view = plan.outputs[alias].view
        if view.name not in fixed:
            order.setdefault(view.name, (view, descending))
    is_ascending = not any(descending for _, descending in order.values())
    return Ordering(
        columns=tuple(order.values()),
        is_met=is_ascending and tuple(order) == tuple(sorted_by),
        narrows=next_key is not None and next_key == next(iter(order), None),
    )


def scan_order(plan: Plan, fixed: frozenset[str]) -> tuple[str, ...]:
    """Return what all base rows are sorted by."""
    tenant = plan.segment.tenant_column
    return () if tenant is None or tenant in fixed else (tenant,)


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
    return Shape(tuple(points), tuple(ranges), fixed, candidates)


def _candidates(
    plan: Plan, points: Sequence[Point], ranges: Sequence[Range], fixed: frozenset[str]
) -> tuple[Candidate, ...]:
    """Return the paths with the most usable key columns, or the scan when none has any."""
    point_at = {point.view.name: number for number, point in enumerate(points)}
    range_at = {item.view.name: number for number, item in enumerate(ranges)}
    best = (0, 0)
    found: list[Candidate] = []
    for path in plan.paths:
        used: list[int] = []
        for name in path.key_columns:
            if name not in point_at:
                break
            used.append(point_at[name])
        following = path.key_columns[len(used) : len(used) + 1]
        bounds = range_at.get(following[0], -1) if following else -1
        score = (len(used), int(bounds >= 0))
        if score < best or score == (0, 0):
            continue
        if score > best:
            best, found = score, []
        found.append(_candidate(plan, path, used, bounds, (len(points), len(ranges)), fixed))
    if found:
        return tuple(found)
    return (_candidate(plan, None, (), -1, (len(points), len(ranges)), fixed),)


def _candidate(
    plan: Plan,
    path: PathView | None,
    used: Sequence[int],
    bounds: int,
    counts: tuple[int, int],
    fixed: frozenset[str],
) -> Candidate:
    loose_points = tuple(number for number in range(counts[0]) if number not in used)
    loose_ranges = tuple(number for number in range(counts[1]) if number != bounds)
    next_key = None
    if path is None:
        sorted_by = scan_order(plan, fixed)
    else:
        sorted_by = tuple(name for name in path.columns if name not in fixed)
        if not loose_points and not loose_ranges:
            next_key = next(iter(path.key_columns[len(used) :]), None)
    return Candidate(
        path=path,
        points=tuple(used),
        bounds=bounds,
        loose_points=loose_points,
        loose_ranges=loose_ranges,
        sorted_by=sorted_by,
        ordering=ordering(plan, fixed, sorted_by, next_key),
    )


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
