"""One endpoint against its dataset: columns, their types, and the tenant rule."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.catalog.dataset import DatasetDraft
from offloader.catalog.endpoint import EndpointDraft
from offloader.catalog.endpoint_query import FilterDraft, SelectDraft
from offloader.catalog.fields import Fields
from offloader.catalog.model import ParamType
from offloader.catalog.types import ColumnType, Kind

RANGE_OPS = ("gt", "gte", "lt", "lte")
LIST_TYPES: tuple[ParamType, ...] = (
    "string", "enum", "integer", "number", "date", "timestamp",
)  # fmt: skip

_NUMBERS: tuple[ParamType, ...] = ("integer", "number")
_DAYS: tuple[ParamType, ...] = ("date", "timestamp")
PARAM_TYPES_OF: Mapping[Kind, tuple[ParamType, ...]] = {
    Kind.BOOLEAN: ("boolean",),
    Kind.INTEGER: _NUMBERS,
    Kind.BIGINT: _NUMBERS,
    Kind.DOUBLE: _NUMBERS,
    Kind.DECIMAL: _NUMBERS,
    Kind.VARCHAR: ("string", "enum"),
    Kind.DATE: _DAYS,
    Kind.TIMESTAMP: _DAYS,
    Kind.JSON: (),
}

Types = Mapping[str, ColumnType | None]


def check_columns(draft: EndpointDraft, dataset: DatasetDraft) -> None:
    """Record every column that does not exist or cannot do what the query asks of it."""
    types = dataset.types
    if types is None:
        return
    for item in draft.query.select or ():
        column_type = _type_of(item.fields, item.column, types)
        if column_type and item.agg:
            _check_agg(item, column_type)
    _check_order_and_groups(draft, types)
    param_types = {p.name: p.param.type for p in draft.params or () if p.param}
    for test in draft.query.filters or ():
        column_type = _type_of(test.fields, test.column, types)
        if column_type:
            _check_filter(test, column_type, param_types.get(test.param))


def check_tenant(draft: EndpointDraft, dataset: DatasetDraft) -> None:
    """Refuse an endpoint whose tenant differs from its dataset's, or whose callers could set it."""
    wanted, written = dataset.dataset.tenant_column, draft.tenant_column
    for item in draft.query.filters or ():
        if wanted and item.column == wanted:
            message = f"{wanted} is filtered by the caller's key alone"
            hint = "remove the filter: a caller cannot choose the tenant"
            item.fields.problem("column", "filter_on_tenant", message, hint)
    if not dataset.is_tenant_known or written == "":
        return
    if wanted and written is None:
        message = f"the dataset is tenant-scoped by {wanted}"
        hint = f"add tenant: {{column: {wanted}}}"
        draft.fields.problem("tenant", "tenant_missing", message, hint)
    elif wanted and written != wanted:
        message = f"{written} is not the dataset's tenant column"
        hint = f"write column: {wanted}"
        draft.fields.problem("tenant.column", "tenant_mismatch", message, hint)
    elif written and not wanted:
        message = "the dataset has no tenant column"
        hint = f"remove tenant, or set tenant_column: {written} on the dataset"
        draft.fields.problem("tenant", "tenant_unexpected", message, hint)


def _type_of(fields: Fields, column: str, types: Types) -> ColumnType | None:
    if column and column not in types:
        message = f"{column} is not a column of the dataset"
        fields.problem("column", "unknown_column", message, fields.nearest(column, tuple(types)))
    return types.get(column)


def _check_agg(item: SelectDraft, column_type: ColumnType) -> None:
    if item.agg in ("sum", "avg") and not column_type.is_number:
        message = f"{item.agg} is not defined on {column_type}"
        hint = "choose a number column, or another agg"
        item.fields.problem("agg", "agg_not_defined", message, hint)
    elif column_type.kind is Kind.JSON and item.agg != "count":
        message = f"{item.agg} is not defined on JSON"
        item.fields.problem("agg", "agg_not_defined", message, "only count is defined on JSON")


def _check_order_and_groups(draft: EndpointDraft, types: Types) -> None:
    json_aliases = set()
    for item in draft.query.select or ():
        column_type = types.get(item.column)
        if item.alias and not item.agg and column_type and column_type.kind is Kind.JSON:
            json_aliases.add(item.alias)
    hint = "choose a column of another type"
    for index, name in enumerate(draft.query.group_by or ()):
        if name in json_aliases:
            message = f"{name} is JSON and cannot be grouped by"
            place = f"query.group_by[{index}]"
            draft.fields.problem(place, "json_not_comparable", message, hint)
    for order in draft.query.order_by:
        if order.alias in json_aliases:
            message = f"{order.alias} is JSON and has no order"
            order.fields.problem("column", "json_not_comparable", message, hint)


def _check_filter(item: FilterDraft, column_type: ColumnType, param_type: ParamType | None) -> None:
    kind = column_type.kind
    if kind is Kind.JSON:
        message = f"{item.column} is JSON and cannot be filtered"
        hint = "choose a column of another type"
        item.fields.problem("column", "json_not_comparable", message, hint)
        return
    if item.op == "prefix" and kind is not Kind.VARCHAR:
        message = f"prefix is not defined on {column_type}"
        item.fields.problem("op", "op_not_defined", message, "prefix is for VARCHAR columns")
    if item.op in RANGE_OPS and kind is Kind.BOOLEAN:
        message = f"{item.op} is not defined on BOOLEAN"
        item.fields.problem("op", "op_not_defined", message, "use eq or ne")
    if param_type is None:
        return
    if param_type not in PARAM_TYPES_OF[kind]:
        message = f"a param of type {param_type} cannot filter {column_type}"
        hint = f"make the param's type {' or '.join(PARAM_TYPES_OF[kind])}"
        item.fields.problem("param", "param_type_mismatch", message, hint)
    elif item.op == "in" and param_type not in LIST_TYPES:
        message = f"in is not defined for a param of type {param_type}"
        item.fields.problem("op", "op_not_defined", message, "use eq or ne")
