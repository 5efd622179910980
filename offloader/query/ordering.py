"""Ordering: how rows that lie on an access path relate to what a contract wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offloader.query.plan import Plan
from offloader.segment.read import ColumnView, PathView

OrderColumns = tuple[tuple[ColumnView, bool], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ordering:
    """How located rows relate to the contract's order.

    `columns` decide it: without repeats and those that are the same in all rows. `is_met` says that
    rows come in it, ties included; `narrows` that the path can name the rows up to a page's end.
    `group_depth` is how many of the path's first columns tell the groups of an aggregate apart, one
    group behind the other; 0 when they do not.
    """

    columns: OrderColumns
    is_met: bool
    narrows: bool
    group_depth: int = 0


def ordering(
    plan: Plan,
    fixed: frozenset[str],
    sorted_by: Sequence[str],
    path: PathView | None = None,
    used: int = 0,
) -> Ordering:
    """Compare the order of located rows with what the contract wants.

    `path` is None when the rows are not one stretch of a path, or must still be checked; `used` is
    how many of its first columns are equal in all rows.
    """
    following = () if path is None else path.columns[used:]
    if plan.is_aggregate:
        return Ordering(
            (), is_met=False, narrows=False, group_depth=_depth(plan, fixed, path, used)
        )
    order: dict[str, tuple[ColumnView, bool]] = {}
    for alias, descending in plan.order:
        view = plan.outputs[alias].view
        if view.name not in fixed:
            order.setdefault(view.name, (view, descending))
    is_ascending = not any(descending for _, descending in order.values())
    return Ordering(
        columns=tuple(order.values()),
        is_met=is_ascending and tuple(order) == tuple(sorted_by),
        narrows=bool(order) and following[:1] == tuple(order)[:1],
    )


def _depth(plan: Plan, fixed: frozenset[str], path: PathView | None, used: int) -> int:
    names = (plan.outputs[alias].view.name for alias in plan.endpoint.group_by)
    wanted = tuple(dict.fromkeys(name for name in names if name not in fixed))
    if path is None or not wanted:
        return 0
    depth = used + len(wanted)
    if plan.adds_doubles and path.columns[depth:]:
        return 0  # a group's rows come by the next column, and doubles are added in source order
    return depth if path.key_columns[used:depth] == wanted else 0


def scan_order(plan: Plan, fixed: frozenset[str]) -> tuple[str, ...]:
    """Return what all base rows are sorted by."""
    tenant = plan.segment.tenant_column
    return () if tenant is None or tenant in fixed else (tenant,)
