"""From a bound request to what a scan of the snapshot's files must bring. Pure.

What is asked of rows is pushed down where it can be said of a file's values exactly; the executor
checks everything again, so what is left out here costs time, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from offloader.catalog.model import Column, Endpoint, FilterOp
from offloader.catalog.types import Kind
from offloader.query.conditions import Physical, make_snap, tenant_condition
from offloader.query.params import Bound, BoundValue
from offloader.query.plan import Plan, PlannedFilter
from offloader.segment.read import ColumnView
from offloader.sources.scan_bounds import ScanRequest
from offloader.sources.scan_filter import Among, Between, Condition

_LAST_CHARACTER, _BEFORE_SURROGATES = 0x10FFFF, 0xD7FF


@dataclass(frozen=True, slots=True, eq=False)
class Needed:
    """The part of an endpoint that answers one request, and what it reads.

    `is_nothing` says that no row can match.
    """

    endpoint: Endpoint
    request: ScanRequest
    is_nothing: bool


def needed_of(plan: Plan, bound: Bound, tenant: str | None) -> Needed:
    """Return what answering a bound request needs; `tenant` as for `run`."""
    endpoint = plan.endpoint
    aliases = {*bound.columns, *endpoint.group_by, *(alias for alias, _ in plan.order)}
    select = tuple(item for item in endpoint.select if item.alias in aliases)
    active = [item for item in plan.filters if item.param in bound.values]
    asked = [_conditions(plan, item, bound.values[item.param]) for item in active]
    conditions = [condition for of_one in asked for condition in of_one]
    views = {plan.outputs[item.alias].view.name for item in select}
    views |= {item.view.name for item in active}
    if plan.tenant is not None:
        views.add(plan.tenant.name)
        conditions.append(_tenants(plan.tenant, tenant))
    found = plan.segment.columns.values()
    columns = tuple(Column(view.name, view.type) for view in found if view.name in views)
    pushed = tuple(condition for condition in conditions if condition is not None)
    are_first_rows = all(asked) and not plan.is_aggregate and not plan.order
    enough_rows = bound.offset + bound.limit + 1 if are_first_rows else None
    return Needed(
        replace(
            endpoint,
            select=select,
            columns=bound.columns,
            filters=tuple(one for one in endpoint.filters if one.param in bound.values),
        ),
        ScanRequest(columns, pushed, enough_rows),
        is_nothing=len(pushed) < len(conditions),
    )


def _tenants(view: ColumnView, tenant: str | None) -> Condition | None:
    """Return what says that a row is the tenant's, None when none can be."""
    column = Column(view.name, view.type)
    if tenant is None:
        return None
    if view.type.kind is Kind.VARCHAR:
        return Among(column, (tenant,))
    wanted = tenant_condition(view, tenant)
    return Among(column, (int(wanted.low or 0),)) if wanted.is_point else None


def _conditions(plan: Plan, item: PlannedFilter, value: BoundValue) -> list[Condition | None]:
    """Return what a filter asks: None when no value can meet it, none when it cannot be said."""
    column, op = Column(item.view.name, item.view.type), item.op
    if op == "ne" or column.type.kind is Kind.DOUBLE:  # NaN of a file is read as null
        return []
    values = value if isinstance(value, tuple) else (value,)
    if column.type.kind is Kind.VARCHAR:
        texts = tuple(map(str, values))
        return [Among(column, texts) if op in ("eq", "in") else _text_range(column, op, texts[0])]
    # Placed among all numbers, not among those of a dictionary.
    snap = make_snap(replace(item.view, dictionary=None), plan.signature.params[item.param].type)
    if op not in ("eq", "in"):
        return [_number_range(column, op, *snap(values[0]))]
    places = (snap(one) for one in values)
    points = tuple(sorted({int(below) for below, above in places if below == above}))
    return [Among(column, points) if points else None]


def _number_range(column: Column, op: FilterOp, below: Physical, above: Physical) -> Condition:
    if op in ("gt", "gte"):
        return Between(column, low=int(below) + 1 if op == "gt" else int(above))
    return Between(column, end=int(above) if op == "lt" else int(below) + 1)


def _text_range(column: Column, op: FilterOp, text: str) -> Condition:
    if op == "prefix":
        return Between(column, text, _successor(text))
    if op in ("gt", "gte"):
        return Between(column, low=text + "\0" if op == "gt" else text)
    return Between(column, end=text if op == "lt" else text + "\0")


def _successor(text: str) -> str | None:
    """Return the least text greater than every text that begins with `text`, if any."""
    trimmed = text.rstrip(chr(_LAST_CHARACTER))
    if not trimmed:
        return None
    last = ord(trimmed[-1])
    following = 0xE000 if last == _BEFORE_SURROGATES else last + 1
    return trimmed[:-1] + chr(following)
