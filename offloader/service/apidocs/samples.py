"""Sample requests and answers: values that a contract allows, the same each time.

A text that no list limits is `example`: it finds no row, and is no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping

from offloader.catalog.model import Dataset, Endpoint, Param, ParamValue
from offloader.catalog.types import Kind
from offloader.catalog.values import format_value, parse_date, parse_timestamp
from offloader.service.apidocs.columns import AnswerColumn, answer_columns

SAMPLE_LIMIT = 10
SAMPLE_TEXT = "example"
SAMPLE_WATERMARK = "2026-06-01T00:00:00Z"

_DAY, _MOMENT = "2026-01-01", "2026-01-01T00:00:00Z"
_ORDINARY: Mapping[str, ParamValue] = {
    "integer": 1,
    "number": 1.0,
    "date": parse_date(_DAY),
    "timestamp": parse_timestamp(_MOMENT),
}
_CELLS: Mapping[Kind, object] = {
    Kind.BOOLEAN: True,
    Kind.INTEGER: 42,
    Kind.BIGINT: 42,
    Kind.DOUBLE: 4.2,
    Kind.VARCHAR: SAMPLE_TEXT,
    Kind.DATE: _DAY,
    Kind.TIMESTAMP: _MOMENT,
    Kind.JSON: {"key": "value"},
}


def sample_values(endpoint: Endpoint) -> dict[str, ParamValue]:
    """Return a value of each declared param, typed as in JSON; dates and times are texts."""
    return {param.name: _value(param) for param in endpoint.params}


def sample_params(endpoint: Endpoint) -> dict[str, str]:
    """Return what a first request sends: the smallest allowed set of params, and a limit."""
    names = {param.name for param in endpoint.params if param.required}
    if endpoint.combinations:
        names = set(min((len(sent), sorted(sent)) for sent in endpoint.combinations)[1])
    params = {p.name: _sent(_value(p)) for p in endpoint.params if p.name in names}
    return params | {"limit": str(min(SAMPLE_LIMIT, endpoint.max_limit))}


def sample_answer(dataset: Dataset, endpoint: Endpoint) -> dict[str, object]:
    """Return an answer of one row and no further page."""
    row = {column.name: _cell(column) for column in answer_columns(dataset, endpoint)}
    return {
        "data": [row],
        "meta": {
            "endpoint": endpoint.name,
            "version": endpoint.version,
            "snapshot_id": "2026-06-01T00:00:00Z_r0001",
            "row_count": 1,
            "limit": min(SAMPLE_LIMIT, endpoint.max_limit),
            "offset": 0,
            "next_offset": None,
            "next_cursor": None,
            "serving_mode": endpoint.serving_mode,
            "freshness": {
                "watermark": SAMPLE_WATERMARK,
                "max_staleness_minutes": endpoint.max_staleness_minutes,
                "stale": False,
            },
        },
    }


def _cell(column: AnswerColumn) -> object:
    if column.type.kind is Kind.DECIMAL:
        return round(0.5, column.type.scale) if column.type.scale else 1
    return _CELLS[column.type.kind]


def _value(param: Param) -> ParamValue:
    if param.default is not None:
        return _shown(param, param.default)
    if param.enum:
        return param.enum[0]
    if param.type == "boolean":
        return True
    if param.type == "string":
        return next(iter(param.aliases), SAMPLE_TEXT[: param.max_length])
    value = _ordinary(param)
    return _shown(param, value)


def _ordinary(param: Param) -> ParamValue:
    """Return an ordinary value of an ordered type, or the bound that it would break."""
    value = _ORDINARY[param.type]
    if param.min is not None and value < param.min:  # type: ignore[operator]
        return param.min
    if param.max is not None and value > param.max:  # type: ignore[operator]
        return param.max
    return value


def _shown(param: Param, value: ParamValue) -> ParamValue:
    return format_value(param.type, value) if param.type in ("date", "timestamp") else value


def _sent(value: ParamValue) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
