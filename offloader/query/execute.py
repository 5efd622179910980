"""Execute: a plan and a bound request into one page of cells, or of rows encoded ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from offloader.catalog.types import Kind
from offloader.query.aggregate import aggregate
from offloader.query.cells import Cells, read_cells, row_count
from offloader.query.cursor import asked_digest, write_cursor
from offloader.query.filters import matching
from offloader.query.grouping import ONE_GROUP, Groups, group_rows, group_stretch
from offloader.query.locate import locate
from offloader.query.located import Located
from offloader.query.order import SortKey, first_positions, in_source_order
from offloader.query.params import Bound
from offloader.query.plan import Output, Plan
from offloader.query.row_order import can_narrow, is_in_order, rows_to_page
from offloader.query.total import one_pass_total
from offloader.segment.read import Rows, RowTexts

# How rows encoded ahead are wanted: as long stretches joined by commas, or one by one.
Texts = Literal["joined", "rows"]


@dataclass(slots=True, eq=False)
class Result:
    """One page of `row_count` rows: cells of the bound request's columns, or `texts`.

    `texts` is JSON text of rows that were encoded ahead, joined by commas or one by one as asked;
    then there are no `columns`. `next_offset` and `next_cursor` are None when no row follows.
    `rows_read` is how many rows had to be looked at.
    """

    columns: tuple[Cells, ...]
    row_count: int
    next_offset: int | None
    rows_read: int
    texts: list[memoryview] | None = None
    next_cursor: str | None = None


def estimate(plan: Plan, bound: Bound, tenant: str | None) -> int:
    """Return how many rows answering would read, without reading them."""
    return rows_to_read(plan, bound, locate(plan, bound, tenant))


def rows_to_read(plan: Plan, bound: Bound, located: Located) -> int:
    """Return how many of the located rows answering reads.

    A page of rows that are ready in order; all rows up to the page's end when a path can name
    them (more if many tie at the end); else all.
    """
    if plan.is_aggregate or located.residual:
        return located.count
    if is_in_order(located):
        return min(located.count, bound.limit)
    if can_narrow(located):
        return min(located.count, bound.offset + bound.limit)
    return located.count


def run(
    plan: Plan,
    bound: Bound,
    tenant: str | None,
    located: Located | None = None,
    *,
    texts: Texts | None = None,
) -> Result:
    """Answer a bound request; `located` saves looking it up again after `locate`.

    `tenant` is the key's, and None only for endpoints that have no tenant. With `texts`, rows that
    were encoded ahead are returned as text where they hold what is asked.
    """
    result = _run(plan, bound, located or locate(plan, bound, tenant), texts)
    if result.next_offset is not None:
        asked = asked_digest(bound.values, bound.columns, tenant)
        result.next_cursor = write_cursor(plan.envelope.cursor_head, asked, result.next_offset)
    return result


def _run(plan: Plan, bound: Bound, located: Located, texts: Texts | None) -> Result:
    if plan.is_aggregate:
        return _run_groups(plan, bound, located)
    if texts and plan.texts is not None and bound.columns == plan.endpoint.columns:
        return _run_texts(plan, plan.texts, bound, located, texts)
    rows, count = rows_to_page(located, bound.offset, bound.limit)
    columns = tuple(read_cells(plan.outputs[alias].view, rows) for alias in bound.columns)
    shown = row_count(rows)
    return _result(columns, shown, count, bound, rows_to_read(plan, bound, located))


def _run_texts(
    plan: Plan, encoded: RowTexts, bound: Bound, located: Located, texts: Texts
) -> Result:
    """Return a page of encoded rows: one slice when they lie together, else row by row."""
    path = located.path
    is_stretch = is_in_order(located) and not located.residual and len(located.spans) == 1
    if is_stretch and path is not None and not located.is_base and path.columns == encoded.order:
        first, count = located.spans[0][0], located.count
        shown = max(0, min(count - bound.offset, bound.limit))
        first += bound.offset
        found = _stretch(encoded, first, first + shown, texts)
        return _result((), shown, count, bound, shown, found)
    rows, count = rows_to_page(located, bound.offset, bound.limit)
    shown = row_count(rows)
    if not isinstance(rows, slice):
        found = encoded.at_rows(rows)
    elif encoded.places is None:
        found = _stretch(encoded, rows.start, rows.stop, texts)
    else:
        found = encoded.at_rows(np.arange(rows.start, rows.stop))
    return _result((), shown, count, bound, rows_to_read(plan, bound, located), found)


def _stretch(encoded: RowTexts, first: int, last: int, texts: Texts) -> list[memoryview]:
    if texts == "rows":
        return encoded.rows_of(first, last)
    return [encoded.slice_of(first, last)]


def _run_groups(plan: Plan, bound: Bound, located: Located) -> Result:
    if not plan.endpoint.group_by:
        return _run_total(plan, bound, located)
    depth = located.ordering.group_depth
    if depth and len(located.spans) == 1 and located.path is not None:
        rows = located.rows()
        groups = group_stretch(located.path, located.spans[0], depth)
    else:
        rows = _read_rows(plan, located)
        views = [plan.outputs[alias].view for alias in plan.endpoint.group_by]
        groups = group_rows([read_cells(view, rows) for view in views], row_count(rows))
    wanted = dict.fromkeys((*bound.columns, *(alias for alias, _ in plan.order)))
    columns = {alias: _group_cells(plan.outputs[alias], rows, groups) for alias in wanted}
    order = [SortKey(columns[alias], descending) for alias, descending in plan.order]
    end = bound.offset + bound.limit
    page = first_positions(order, groups.count, end)[bound.offset :]
    cells = tuple(columns[alias].take(page) for alias in bound.columns)
    return _result(cells, len(page), groups.count, bound, located.count)


def _run_total(plan: Plan, bound: Bound, located: Located) -> Result:
    """Return the one row of an aggregate without groups."""
    rows = _read_rows(plan, located)
    outputs = (plan.outputs[alias] for alias in bound.columns)
    columns = tuple(
        [
            one_pass_total(output, rows) or _group_cells(output, rows, ONE_GROUP)
            for output in outputs
        ]
    )
    if bound.offset:
        columns = tuple(cells.take(np.zeros(0, np.intp)) for cells in columns)
    return _result(columns, 0 if bound.offset else 1, 1, bound, located.count)


def _read_rows(plan: Plan, located: Located) -> Rows:
    rows = matching(located.rows(), located.residual)
    return in_source_order(rows) if plan.adds_doubles and not located.is_base else rows


def _group_cells(output: Output, rows: Rows, groups: Groups) -> Cells:
    if output.agg is not None:
        return aggregate(output.agg, read_cells(output.view, rows), groups)
    if isinstance(rows, slice):
        rows = np.arange(rows.start, rows.stop)
    key = read_cells(output.view, rows[groups.examples])
    if key.type.kind is Kind.DOUBLE:  # -0.0 equals 0.0: which of them is the example must not show
        return Cells(key.type, key.values + 0.0, key.valid)
    return key


def _result(
    columns: tuple[Cells, ...],
    shown: int,
    count: int,
    bound: Bound,
    read: int,
    texts: list[memoryview] | None = None,
) -> Result:
    end = bound.offset + bound.limit
    return Result(columns, shown, end if end < count else None, read, texts)
