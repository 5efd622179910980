"""Plans: everything about an endpoint on one segment that does not depend on a request.

A plan is made once per generation, off the request path, and shared by all of its requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offloader.catalog.model import Agg, Dataset, Endpoint, Filter, FilterOp, Param
from offloader.catalog.types import Kind
from offloader.query.conditions import Snap, make_snap
from offloader.query.envelope import Envelope, make_envelope
from offloader.query.params import Signature, make_signature
from offloader.segment.read import ColumnView, PathView, RowTexts, Segment
from offloader.segment.row_texts import find_texts


@dataclass(frozen=True, slots=True, eq=False)
class PlannedFilter:
    """One filter of the contract; `snap` places its param among the column's values."""

    param: str
    op: FilterOp
    view: ColumnView
    snap: Snap


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One select item: `view` under the name `alias`, aggregated when `agg` is set."""

    alias: str
    view: ColumnView
    agg: Agg | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One endpoint compiled against one segment. Immutable.

    `outputs` is by alias, in select order. `order` holds aliases and whether they descend.
    `paths` are those that any request to this endpoint could use. `tenant` is the tenant column
    of a tenant-scoped endpoint. `adds_doubles` says that the order of rows shows in an aggregate.
    `texts` are the rows as JSON, if they were encoded ahead. `shapes` and
    `lanes` fill as requests come: see shape.py and quick.py.
    """

    dataset: Dataset
    endpoint: Endpoint
    segment: Segment
    signature: Signature
    filters: tuple[PlannedFilter, ...]
    tenant: ColumnView | None
    outputs: Mapping[str, Output]
    order: tuple[tuple[str, bool], ...]
    paths: tuple[PathView, ...]
    envelope: Envelope
    is_aggregate: bool
    adds_doubles: bool
    texts: RowTexts | None
    shapes: dict[tuple[str, ...], Any] = field(default_factory=dict)
    lanes: dict[tuple[str, ...], Any] = field(default_factory=dict)


def compile_plan(dataset: Dataset, endpoint: Endpoint, segment: Segment) -> Plan:
    """Resolve an endpoint's columns, filters and usable access paths in a segment.

    Raises ValueError when the segment lacks a column or the contract asks what a column's type
    cannot do; the catalog's and the builder's checks rule both out.
    """
    signature = make_signature(endpoint)
    tenant = None
    if endpoint.tenant_column is not None:
        tenant = _view(segment, endpoint.tenant_column)
    params = signature.params
    filters = tuple(_planned(segment, params[item.param], item) for item in endpoint.filters)
    outputs = {
        item.alias: _checked(Output(item.alias, _view(segment, item.column), item.agg), endpoint)
        for item in endpoint.select
    }
    order = tuple((item.alias, item.descending) for item in endpoint.order_by)
    leading = {item.view.name for item in filters}
    if tenant is not None:
        leading = {tenant.name}
    elif not endpoint.is_aggregate:
        leading |= {outputs[alias].view.name for alias, _ in order}
    return Plan(
        dataset=dataset,
        endpoint=endpoint,
        segment=segment,
        signature=signature,
        filters=filters,
        tenant=tenant,
        outputs=outputs,
        order=order,
        paths=tuple(path for path in segment.paths if path.columns[0] in leading),
        envelope=make_envelope(endpoint, segment),
        is_aggregate=endpoint.is_aggregate,
        adds_doubles=any(_adds_doubles(output) for output in outputs.values()),
        texts=_texts(endpoint, outputs, segment),
    )


def _view(segment: Segment, name: str) -> ColumnView:
    try:
        return segment.columns[name]
    except KeyError:
        raise ValueError(f"the segment has no column {name}: rebuild it") from None


def _planned(segment: Segment, param: Param, item: Filter) -> PlannedFilter:
    view = _view(segment, item.column)
    if item.op == "prefix" and view.type.kind is not Kind.VARCHAR:
        raise ValueError(f"prefix needs a VARCHAR column, and {view.name} is {view.type}")
    return PlannedFilter(param.name, item.op, view, make_snap(view, param.type))


def _adds_doubles(output: Output) -> bool:
    return output.agg in ("sum", "avg") and output.view.type.kind is Kind.DOUBLE


def _texts(endpoint: Endpoint, outputs: Mapping[str, Output], segment: Segment) -> RowTexts | None:
    if endpoint.is_aggregate:
        return None
    return find_texts(
        segment.texts, [(alias, outputs[alias].view.name) for alias in endpoint.columns]
    )


def _checked(output: Output, endpoint: Endpoint) -> Output:
    """Refuse aggregates and orders that the type has not."""
    view, agg = output.view, output.agg
    if agg in ("sum", "avg") and not view.type.is_number:
        raise ValueError(f"{agg} needs a number, and {view.name} is {view.type}")
    is_sorted = output.alias in endpoint.group_by or any(
        item.alias == output.alias for item in endpoint.order_by
    )
    if view.type.kind is Kind.JSON and agg != "count" and (agg is not None or is_sorted):
        raise ValueError(f"{view.name} is JSON: it can only be selected or counted")
    if endpoint.is_aggregate and agg is None and output.alias not in endpoint.group_by:
        raise ValueError(f"{output.alias} must be aggregated or in group_by")
    return output
