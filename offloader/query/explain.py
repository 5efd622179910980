"""Explain one request: which access path finds its rows, what is read, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import Literal

from offloader.catalog.types import Kind
from offloader.query.conditions import Interval, OneOf
from offloader.query.execute import estimate, run
from offloader.query.explain_advice import advice
from offloader.query.locate import locate
from offloader.query.located import Located
from offloader.query.params import Bound
from offloader.query.plan import Plan, PlannedFilter
from offloader.query.row_order import can_narrow, is_in_order
from offloader.segment.path_choice import PathChoice
from offloader.segment.read import ColumnView

OrderFrom = Literal["path", "page", "sort", "groups", ""]
TIMED_RUNS = 5
_ROW_NUMBER_BYTES = 4
_OFFSET_BYTES = 8


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one request is answered.

    `path` is None when base order is read; `equal`, `listed` and `ranged` are the columns the path
    looks up, `residual` holds `column op` of what is checked row by row. `is_scan` tells that every
    row of the dataset is looked at. `rows_located` lie where the path, or the scan, looks;
    `order_from` says where the order comes from: rows lie in it on the path, or the path names the
    rows of the page and only these are sorted, or all that is found is sorted, or the groups that
    are made of it; "" without an order.
    `rows_estimated` is what answering was expected to read of them, `rows_read` what it did;
    `bytes_read` is rows times the widths of the columns. `seconds` is the median of 5 runs, without
    parsing and encoding. `advice` says what would help, if anything would.
    """

    endpoint: str
    dataset: str
    snapshot_id: str
    row_count: int
    path: tuple[str, ...] | None
    equal: tuple[str, ...]
    listed: tuple[str, ...]
    ranged: tuple[str, ...]
    residual: tuple[str, ...]
    order: tuple[str, ...]
    order_from: OrderFrom
    is_scan: bool
    rows_located: int
    rows_estimated: int
    rows_read: int
    bytes_read: int
    result_rows: int
    seconds: float
    advice: tuple[str, ...]


def explain(
    plan: Plan,
    bound: Bound,
    tenant: str | None,
    choices: Iterable[PathChoice],
    clock: Callable[[], float],
) -> Explanation:
    """Answer a bound request and tell how; `choices` are those of the dataset's paths.

    `clock` returns seconds. `tenant` is that of a key, None for an endpoint without tenants.
    """
    estimated = estimate(plan, bound, tenant)
    located = locate(plan, bound, tenant)
    result, seconds = run(plan, bound, tenant), []
    for _ in range(TIMED_RUNS):
        began = clock()
        run(plan, bound, tenant)
        seconds.append(clock() - began)
    active = [item for item in plan.filters if item.param in bound.values]
    residual = [item for item in active if _is_checked(item, bound, located)]
    used = _used(plan, located, [item for item in active if item not in residual])
    is_whole = 0 < plan.segment.row_count == located.count
    is_page = not plan.endpoint.is_aggregate and not residual and is_in_order(located)
    is_scan = located.path is None and is_whole and not is_page
    return Explanation(
        endpoint=plan.endpoint.name,
        dataset=plan.dataset.id,
        snapshot_id=plan.segment.snapshot_id,
        row_count=plan.segment.row_count,
        path=None if located.path is None else located.path.columns,
        equal=tuple(name for name, ops in used if ops & {"eq", "tenant"}),
        listed=tuple(name for name, ops in used if ops == {"in"}),
        ranged=tuple(name for name, ops in used if not ops & {"eq", "tenant", "in"}),
        residual=tuple(f"{item.view.name} {item.op}" for item in residual),
        order=tuple(f"{alias} desc" if down else alias for alias, down in plan.order),
        order_from=_order_from(plan, located),
        is_scan=is_scan,
        rows_located=located.count,
        rows_estimated=estimated,
        rows_read=result.rows_read,
        bytes_read=_bytes_read(plan, bound, located, result.rows_read),
        result_rows=result.row_count,
        seconds=median(seconds),
        advice=advice(plan, active, residual, located, tuple(choices), is_scan=is_scan),
    )


def _order_from(plan: Plan, located: Located) -> OrderFrom:
    if not plan.order:
        return ""
    if plan.endpoint.is_aggregate:
        return "groups"
    if is_in_order(located):
        return "path"
    return "page" if can_narrow(located) else "sort"


def _is_checked(item: PlannedFilter, bound: Bound, located: Located) -> bool:
    """Tell whether what is left to check of a filter's column comes from this filter."""
    left = {type(wanted) for view, wanted in located.residual if view is item.view}
    if item.op == "ne":
        return bool(left - {OneOf})
    value = bound.values[item.param]
    is_list = isinstance(value, tuple) and len(value) > 1
    return (OneOf if is_list else Interval) in left


def _used(
    plan: Plan, located: Located, looked_up: Sequence[PlannedFilter]
) -> list[tuple[str, set[str]]]:
    """Return the path's leading columns that were looked up, each with the operators on it."""
    ops: dict[str, set[str]] = {}
    if plan.tenant is not None:
        ops[plan.tenant.name] = {"tenant"}
    for item in looked_up:
        ops.setdefault(item.view.name, set()).add(item.op)
    columns = () if located.path is None else located.path.columns
    return [(name, ops[name]) for name in takewhile(ops.__contains__, columns)]


def _bytes_read(plan: Plan, bound: Bound, located: Located, rows_read: int) -> int:
    """Return the bytes of the values that are looked at, and of the path's row numbers."""
    checked = {view.name: view for view, _ in located.residual}
    outputs = (plan.outputs[alias].view for alias in (*bound.columns, *plan.endpoint.group_by))
    shown = {view.name: view for view in outputs if view.name not in checked}
    numbers = 0 if located.path is None or located.path.base_rows is None else _ROW_NUMBER_BYTES
    checked_bytes = sum(map(_width, checked.values())) * located.count
    return round(checked_bytes + (sum(map(_width, shown.values())) + numbers) * rows_read)


def _width(view: ColumnView) -> float:
    """Return how many bytes a column has for a row; for JSON the mean of its texts."""
    if view.type.kind is Kind.JSON and view.json is not None:
        return _OFFSET_BYTES + view.json.bytes.nbytes / max(1, view.row_count)
    return view.gather(slice(None)).itemsize
