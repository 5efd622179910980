"""What answering a query costs, estimated before it runs: microseconds of one core.

An event loop that is held answers nobody, so only what is cheap runs on it. The estimate adds up
work units: located rows times what is done with each, and the page's cells times what encoding one
takes. It is meant to be too high rather than too low: what goes to the pool for no reason costs a
thread change. The prices are nanoseconds, as `python -m dev.bench.cost` measures them; a machine
half as fast holds its loop for twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from offloader.catalog.model import Agg
from offloader.catalog.types import Kind
from offloader.query.formats import ARROW, CSV
from offloader.query.plan import Output, Plan
from offloader.segment.dictionary import DecimalDictionary, Texts
from offloader.segment.read import ColumnView
from offloader.segment.row_texts import find_texts

if TYPE_CHECKING:
    from offloader.service.worker.answer import Query

# A loop may be held for 5 ms; several requests may be read in one turn of it.
INLINE_MICROS = 1500.0
# A request of so few rows that they cannot cost more than this is not estimated at all.
_QUICK_MICROS = 500.0

_BASE_NS = 10_000.0
# A row that is read: from a view of base rows, by number through a path, and a null bitmap's bit.
_SLICED_NS, _GATHERED_NS, _NULLABLE_NS = 1.5, 5.0, 8.0
_FILTERED_NS = 8.0
# A row that is grouped by a column, of few and of many distinct values; one put in source order.
_FEW_VALUES, _FEW_NS, _MANY_NS, _RESTORED_NS = 65_536, 20.0, 100.0, 10.0
_AGG_NS: Mapping[Agg, float] = {
    "count": 3.0, "sum": 6.0, "avg": 6.0, "min": 12.0, "max": 12.0, "count_distinct": 20.0,
}  # fmt: skip
_WIDE_SUM_NS = 60.0  # a decimal of more than 18 digits
_PAIRED_NS = 50.0  # a distinct value together with its group
# A row looked at for the first of an order, and one that is sorted.
_SELECTED_NS, _SORTED_NS = 10.0, 90.0
# A cell as JSON text, and the length of it; texts have theirs.
_CELL: Mapping[Kind, tuple[float, int]] = {
    Kind.BOOLEAN: (180, 5), Kind.INTEGER: (240, 6), Kind.BIGINT: (260, 12), Kind.DOUBLE: (750, 18),
    Kind.DECIMAL: (600, 10), Kind.DATE: (750, 12), Kind.TIMESTAMP: (2500, 24),
    Kind.VARCHAR: (650, 2), Kind.JSON: (350, 0),
}  # fmt: skip
_ROW_NS, _TEXT_BYTE_NS = 250.0, 1.5
_READY_ROW_NS, _READY_BYTE_NS = 350.0, 0.3
_ARROW_SHARE = 0.2
_CODED_BYTE_NS: Mapping[str, float] = {"": 0.0, "zstd": 5.0, "gzip": 20.0}


def is_quick(query: Query) -> bool:
    """Tell whether a query may be answered on the event loop; a usual lookup is told at once."""
    if query.is_remote:
        return False
    return query.located.count <= query.served.quick_rows or cost_micros(query) <= INLINE_MICROS


def quick_rows(plan: Plan) -> int:
    """Return how many rows a request may locate to be quick whatever else it asks.

    A page that is small whatever is located costs the same for all; else each row may be encoded.
    """
    outputs = tuple(plan.outputs.values())
    coded = max(_CODED_BYTE_NS.values()) * _row_bytes(outputs)
    encoded_ns = _encoded_ns(plan, outputs, CSV) + coded
    row_ns = _FILTERED_NS * len(plan.filters)
    if plan.is_aggregate:
        row_ns += _grouped_ns(plan, outputs, is_gathered=True)
        row_ns += _SELECTED_NS * len(plan.order)
    else:
        row_ns += (_GATHERED_NS + _SORTED_NS) * (len(plan.order) + 1)
    is_total = plan.is_aggregate and not plan.endpoint.group_by
    page_ns = encoded_ns * (1 if is_total else plan.endpoint.max_limit)
    budget_ns = _QUICK_MICROS * 1000
    return int(
        max((budget_ns - page_ns) / row_ns if row_ns else 0, budget_ns / (row_ns + encoded_ns))
    )


def cost_micros(query: Query) -> float:
    """Estimate what a query costs, from its plan, its bound request and where its rows are."""
    plan, bound, located = query.plan, query.bound, query.located
    outputs = tuple(plan.outputs[alias] for alias in bound.columns)
    representation, rows = query.representation, located.count
    is_gathered = located.path is not None
    total = _BASE_NS + rows * _FILTERED_NS * len(located.residual)
    if plan.is_aggregate:
        total += rows * _grouped_ns(plan, _with_order(plan, outputs), is_gathered=is_gathered)
        found = _most_groups(plan, rows)
        total += found * _SELECTED_NS * len(plan.order)
    else:
        found = rows
        total += _ordered_ns(query, rows)
    page = max(0, min(bound.limit, found - bound.offset))
    total += page * _encoded_ns(plan, outputs, representation.media)
    total += page * _row_bytes(outputs) * _CODED_BYTE_NS[representation.coding]
    return total / 1000


def _ordered_ns(query: Query, rows: int) -> float:
    """Return what bringing plain rows into order takes; nothing when they are read as they come."""
    read, wanted = query.rows_to_read, query.bound.offset + query.bound.limit
    keys = len(query.plan.order)
    gathered = _GATHERED_NS * len(query.bound.columns) * min(query.bound.limit, rows)
    if not keys or read <= query.bound.limit < rows:
        return gathered
    one = _SELECTED_NS if wanted * 4 < read else _SORTED_NS
    return gathered + read * (keys * (_GATHERED_NS + one) + _RESTORED_NS)


def _grouped_ns(plan: Plan, outputs: Iterable[Output], *, is_gathered: bool) -> float:
    """Return what one row takes to be grouped and aggregated."""
    read_ns = _GATHERED_NS if is_gathered else _SLICED_NS
    total = 0.0
    for alias in plan.endpoint.group_by:
        view = plan.outputs[alias].view
        total += read_ns + (_FEW_NS if _distinct(view) <= _FEW_VALUES else _MANY_NS)
    for output in outputs:
        if output.agg is not None:
            total += read_ns + _aggregated_ns(output, is_grouped=bool(plan.endpoint.group_by))
            is_double = output.view.type.kind is Kind.DOUBLE
            if is_gathered and is_double and output.agg in ("sum", "avg"):
                total += _RESTORED_NS
    return total


def _aggregated_ns(output: Output, *, is_grouped: bool) -> float:
    agg, view = output.agg, output.view
    assert agg is not None
    nullable = _NULLABLE_NS if view.null_count else 0.0
    if agg in ("sum", "avg") and isinstance(view.dictionary, DecimalDictionary):
        return _WIDE_SUM_NS + nullable
    paired = _PAIRED_NS if agg == "count_distinct" and is_grouped else 0.0
    return _AGG_NS[agg] + paired + nullable


def _with_order(plan: Plan, outputs: tuple[Output, ...]) -> Iterable[Output]:
    """Return what is computed: what is shown, and what that is ordered by."""
    by_order = (plan.outputs[alias] for alias, _ in plan.order)
    return {output.alias: output for output in (*outputs, *by_order)}.values()


def _most_groups(plan: Plan, rows: int) -> int:
    """Return how many groups `rows` rows can make at most."""
    groups = 1
    for alias in plan.endpoint.group_by:
        groups *= _distinct(plan.outputs[alias].view)
        if groups >= rows:
            return rows
    return groups


def _distinct(view: ColumnView) -> int:
    """Return how many values a column can have at most, nulls included, as far as it is known."""
    if view.dictionary is not None:
        return len(view.dictionary) + 1
    kind = view.type.kind
    return 3 if kind is Kind.BOOLEAN else _FEW_VALUES if kind is Kind.DATE else view.row_count


def _encoded_ns(plan: Plan, outputs: tuple[Output, ...], media: str) -> float:
    """Return what one row of a page takes to be encoded."""
    if media == ARROW:
        return _ARROW_SHARE * sum(_cell_ns(output.view) for output in outputs)
    if media != CSV and not plan.is_aggregate:
        pairs = [(output.alias, output.view.name) for output in outputs]
        ready = find_texts(plan.segment.texts, pairs)
        if ready is not None:
            return _READY_ROW_NS + _READY_BYTE_NS * len(ready.data) / max(ready.row_count, 1)
    return _ROW_NS + sum(_cell_ns(output.view) for output in outputs)


def _cell_ns(view: ColumnView) -> float:
    return _CELL[view.type.kind][0] + _TEXT_BYTE_NS * _text_bytes(view)


def _row_bytes(outputs: Iterable[Output]) -> float:
    """Return about how many bytes a row takes as JSON."""
    cells = (_CELL[output.view.type.kind][1] + _text_bytes(output.view) for output in outputs)
    return 2.0 + sum(cells) + sum(len(output.alias) + 4 for output in outputs)


def _text_bytes(view: ColumnView) -> float:
    """Return how many bytes a text of the column has on average, 0 for what is no text."""
    texts = view.dictionary if view.json is None else view.json
    return len(texts.bytes) / len(texts) if isinstance(texts, Texts) and len(texts) else 0.0
