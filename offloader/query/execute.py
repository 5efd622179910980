"""Execute: a plan and a bound request into one page of cells."""

from __future__ import annotations

from dataclasses import dataclass

from offloader.catalog.types import Kind
from offloader.query.aggregate import aggregate
from offloader.query.cells import Cells, read_cells, row_count
from offloader.query.filters import matching
from offloader.query.grouping import Groups, group_rows
from offloader.query.locate import Located, locate
from offloader.query.order import SortKey, first_positions, in_source_order
from offloader.query.params import Bound
from offloader.query.plan import Output, Plan
from offloader.query.row_order import can_narrow, is_in_order, rows_to_page
from offloader.segment.read import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One page: a column of cells for each of the bound request's columns, `row_count` rows.

    `next_offset` is None when no row follows. `rows_read` is how many rows had to be looked at.
    """

    columns: tuple[Cells, ...]
    row_count: int
    next_offset: int | None
    rows_read: int


def estimate(plan: Plan, bound: Bound, tenant: str | None) -> int:
    """Return how many rows answering would read, without reading them."""
    return rows_to_read(plan, bound, locate(plan, bound, tenant))


def rows_to_read(plan: Plan, bound: Bound, located: Located) -> int:
    """Return how many of the located rows answering reads.

    A page of rows that are ready in order; all rows up to the page's end when a path can name
    them (more if many tie at the end); else all.
    """
    if plan.endpoint.is_aggregate or located.residual:
        return located.count
    if is_in_order(located):
        return min(located.count, bound.limit)
    if can_narrow(located):
        return min(located.count, bound.offset + bound.limit)
    return located.count


def run(plan: Plan, bound: Bound, tenant: str | None, located: Located | None = None) -> Result:
    """Answer a bound request; `located` saves looking it up again after `locate`.

    `tenant` is the key's, and None only for endpoints that have no tenant.
    """
    located = located or locate(plan, bound, tenant)
    if plan.endpoint.is_aggregate:
        return _run_groups(plan, bound, located)
    rows, count = rows_to_page(located, bound.offset, bound.limit)
    columns = tuple(read_cells(plan.outputs[alias].view, rows) for alias in bound.columns)
    shown = row_count(rows)
    return _result(columns, shown, count, bound, rows_to_read(plan, bound, located))


def _run_groups(plan: Plan, bound: Bound, located: Located) -> Result:
    rows = matching(located.rows(), located.residual)
    wanted = {*bound.columns, *(alias for alias, _ in plan.order)}
    outputs = {alias: output for alias, output in plan.outputs.items() if alias in wanted}
    if any(_depends_on_order(output) for output in outputs.values()):
        rows = in_source_order(rows)
    keys = [read_cells(plan.outputs[alias].view, rows) for alias in plan.endpoint.group_by]
    groups = group_rows(keys, row_count(rows))
    columns = {alias: _group_cells(output, rows, groups) for alias, output in outputs.items()}
    order = [SortKey(columns[alias], descending) for alias, descending in plan.order]
    end = bound.offset + bound.limit
    page = first_positions(order, groups.count, end)[bound.offset :]
    cells = tuple(columns[alias].take(page) for alias in bound.columns)
    return _result(cells, len(page), groups.count, bound, located.count)


def _group_cells(output: Output, rows: Rows, groups: Groups) -> Cells:
    cells = read_cells(output.view, rows)
    if output.agg is not None:
        return aggregate(output.agg, cells, groups)
    key = cells.take(groups.examples)
    if key.type.kind is Kind.DOUBLE:  # -0.0 equals 0.0: which of them is the example must not show
        return Cells(key.type, key.values + 0.0, key.valid)
    return key


def _result(columns: tuple[Cells, ...], shown: int, count: int, bound: Bound, read: int) -> Result:
    end = bound.offset + bound.limit
    return Result(columns, shown, end if end < count else None, read)


def _depends_on_order(output: Output) -> bool:
    return output.agg in ("sum", "avg") and output.view.type.kind is Kind.DOUBLE
