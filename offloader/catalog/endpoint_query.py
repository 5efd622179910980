"""query of an endpoint: what is selected, filtered, grouped and ordered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from offloader.catalog.fields import Fields
from offloader.catalog.model import Agg, FilterOp
from offloader.catalog.text_rules import repeats

QUERY_FIELDS = ("select", "filters", "group_by", "order_by")
SELECT_FIELDS = ("as", "column", "agg")
FILTER_FIELDS = ("column", "op", "param")
ORDER_FIELDS = ("column", "dir")

AGGS: tuple[Agg, ...] = get_args(Agg)
FILTER_OPS: tuple[FilterOp, ...] = get_args(FilterOp)
DIRECTIONS = ("asc", "desc")
MAX_FILTERS = 100


@dataclass(frozen=True, slots=True)
class SelectDraft:
    """One item of query.select; a refused name is ""."""

    fields: Fields
    alias: str
    column: str
    agg: Agg | None


@dataclass(frozen=True, slots=True)
class FilterDraft:
    """One item of query.filters; a refused name is "", a refused op None."""

    fields: Fields
    column: str
    op: FilterOp | None
    param: str


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """One item of query.order_by; a refused alias is ""."""

    fields: Fields
    alias: str
    descending: bool


@dataclass(frozen=True, slots=True)
class QueryDraft:
    """A query as far as it could be read; None stands for a list that was refused."""

    select: tuple[SelectDraft, ...] | None
    filters: tuple[FilterDraft, ...] | None
    group_by: tuple[str, ...] | None
    order_by: tuple[OrderDraft, ...]


def read_query(fields: Fields) -> QueryDraft:
    """Read the query of one endpoint."""
    return QueryDraft(
        select=_read_select(fields),
        filters=_read_filters(fields),
        group_by=fields.names("group_by") if fields.has("group_by") else (),
        order_by=_read_order(fields),
    )


def _read_select(fields: Fields) -> tuple[SelectDraft, ...] | None:
    items = fields.sections("select", SELECT_FIELDS, required=True)
    if items is None:
        return None
    drafts = tuple(
        SelectDraft(
            item, item.identifier("as"), item.identifier("column"), item.choice("agg", AGGS)
        )
        for item in items
    )
    for index in repeats(draft.alias for draft in drafts):
        message = f"{drafts[index].alias} is already selected"
        hint = "give each item of select its own name"
        items[index].problem("as", "duplicate_alias", message, hint)
    return drafts


def _read_filters(fields: Fields) -> tuple[FilterDraft, ...] | None:
    items = fields.sections("filters", FILTER_FIELDS, most=MAX_FILTERS)
    if items is None:
        return None
    drafts = tuple(
        FilterDraft(
            item,
            item.identifier("column"),
            item.choice("op", FILTER_OPS, required=True),
            item.identifier("param"),
        )
        for item in items
    )
    for index in repeats(_filter_key(draft) for draft in drafts):
        hint = "drop one of the two"
        items[index].problem("", "duplicate_filter", "this filter is already in the list", hint)
    return drafts


def _filter_key(draft: FilterDraft) -> str:
    if not (draft.column and draft.op and draft.param):
        return ""
    return f"{draft.column} {draft.op} {draft.param}"


def _read_order(fields: Fields) -> tuple[OrderDraft, ...]:
    items = fields.sections("order_by", ORDER_FIELDS) or ()
    drafts = tuple(
        OrderDraft(item, item.identifier("column"), item.choice("dir", DIRECTIONS) == "desc")
        for item in items
    )
    for index in repeats(draft.alias for draft in drafts):
        message = f"{drafts[index].alias} already orders the rows"
        items[index].problem("column", "duplicate_item", message, "drop one of the two")
    return drafts
