"""Columns of an answer: the type of each, whether it may be null, and its JSON Schema.

A column is null when its values are, when an aggregate saw no value, and when a double is no finite
number. `guards.not_null` promises values, for a snapshot without them is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.model import Agg, Dataset, Endpoint, Select
from offloader.catalog.types import MAX_DECIMAL_PRECISION, ColumnType, Kind

_BIGINT, _DOUBLE = ColumnType(Kind.BIGINT), ColumnType(Kind.DOUBLE)
_COUNTS: tuple[Agg, ...] = ("count", "count_distinct")


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """One column of an answer; `type` is what an aggregate makes of the stored one."""

    name: str
    type: ColumnType
    is_nullable: bool
    agg: Agg | None = None


def answer_columns(dataset: Dataset, endpoint: Endpoint) -> tuple[AnswerColumn, ...]:
    """Return the columns that a caller may have, in the order they come."""
    chosen = [item for item in endpoint.select if item.alias in endpoint.columns]
    return tuple(_column(dataset, endpoint, item) for item in chosen)


def column_schema(column: AnswerColumn) -> Schema:
    """Return the JSON Schema of a column's values; the contract's type stands beside it."""
    schema = _SCHEMAS[column.type.kind](column)
    if column.is_nullable and "type" in schema:
        schema = {**schema, "type": [schema["type"], "null"]}
    return {**schema, "x-offloader-type": str(column.type)}


def row_schema(columns: tuple[AnswerColumn, ...], *, is_whole: bool) -> Schema:
    """Return the JSON Schema of a row; one that `is_whole` has every column."""
    schema: Schema = {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in columns},
        "additionalProperties": False,
    }
    if is_whole:
        schema["required"] = [column.name for column in columns]
    else:
        schema["minProperties"] = 1
    return schema


def _column(dataset: Dataset, endpoint: Endpoint, item: Select) -> AnswerColumn:
    stored = dataset.column(item.column).type
    shown = _aggregated(item.agg, stored) if item.agg else stored
    return AnswerColumn(item.alias, shown, _may_be_null(dataset, endpoint, item, shown), item.agg)


def _may_be_null(dataset: Dataset, endpoint: Endpoint, item: Select, shown: ColumnType) -> bool:
    if item.agg in _COUNTS:
        return False
    if shown.kind in (Kind.DOUBLE, Kind.JSON):  # one overflows, the other's text may be null
        return True
    has_no_value = item.agg is not None and not endpoint.group_by  # a total over no row
    return has_no_value or item.column not in dataset.guards.not_null


def _aggregated(agg: Agg, stored: ColumnType) -> ColumnType:
    if agg in _COUNTS:
        return _BIGINT
    if agg == "avg" or (agg == "sum" and stored.kind is Kind.DOUBLE):
        return _DOUBLE
    if agg != "sum":
        return stored
    if stored.kind is Kind.INTEGER:
        return _BIGINT
    return ColumnType(Kind.DECIMAL, MAX_DECIMAL_PRECISION, stored.scale)


def _decimal(column: AnswerColumn) -> Schema:
    """Return the schema of an exact number; a sum without a fraction has as many digits as need."""
    if column.type.scale == 0:
        return {"type": "integer"}
    return {"type": "number", "description": "Exact: read it as a decimal, not as a double"}


def _moment(kind: str) -> Callable[[AnswerColumn], Schema]:
    return lambda _: {"type": "string", "format": kind}


_SCHEMAS: Mapping[Kind, Callable[[AnswerColumn], Schema]] = {
    Kind.BOOLEAN: lambda _: {"type": "boolean"},
    Kind.INTEGER: lambda _: {"type": "integer", "format": "int32"},
    Kind.BIGINT: lambda _: {"type": "integer", "format": "int64"},
    Kind.DOUBLE: lambda _: {"type": "number", "format": "double"},
    Kind.DECIMAL: _decimal,
    Kind.VARCHAR: lambda _: {"type": "string"},
    Kind.DATE: _moment("date"),
    Kind.TIMESTAMP: _moment("date-time"),
    Kind.JSON: lambda _: {"description": "Nested JSON of any form"},
}
