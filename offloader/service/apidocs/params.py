"""Params of an endpoint: what each may be, as JSON Schema, and what it does, in words.

A list travels as one comma-separated text, which every client can send; JSON Schema has no word
for a bound of a date, so `x-offloader-minimum` and `x-offloader-maximum` say it. Some generated
clients send every `default`: where that is not the same as sending nothing, beside `cursor` and in
`combinations`, it is called `x-offloader-default`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.model import Endpoint, Filter, FilterOp, Param, ParamType, ParamValue
from offloader.catalog.values import INT64_MAX, INT64_MIN, MAX_LIST_VALUES, format_value
from offloader.query.params import MAX_OFFSET
from offloader.query.query_string import MAX_QUERY_BYTES
from offloader.service.apidocs.patterns import list_pattern, one_of

UNSENT_DEFAULT = "x-offloader-default"
CURSOR_PATTERN = "^[A-Za-z0-9_-]{60}$"

_WORDS: Mapping[FilterOp, str] = {
    "eq": "equals the value", "ne": "differs from the value", "gt": "is above the value",
    "gte": "is at least the value", "lt": "is below the value", "lte": "is at most the value",
    "in": "is one of the values", "prefix": "begins with the value",
}  # fmt: skip
_WORDS_OF_TIME: Mapping[FilterOp, str] = {
    "gt": "is after the value", "gte": "is the value or later", "lt": "is before the value",
    "lte": "is the value or earlier",
}  # fmt: skip
_ITEMS: Mapping[ParamType, str] = {
    "integer": "-?[0-9]+",
    "number": r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamp": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2})",
}


def is_list(endpoint: Endpoint, param: Param) -> bool:
    """Tell whether a param takes a comma-separated list."""
    return any(item.op == "in" and item.param == param.name for item in endpoint.filters)


def meaning(endpoint: Endpoint, param: Param) -> str:
    """Return what a param does, from the filters that use it."""
    tests = (_test(endpoint, param, item) for item in endpoint.filters if item.param == param.name)
    words = f"Rows whose {' and '.join(tests)}."
    if is_list(endpoint, param):
        words += f" A comma-separated list of at most {MAX_LIST_VALUES} values."
    aliases = ", ".join(f"{sent} for {stored}" for sent, stored in param.aliases.items())
    return f"{words} Also: {aliases}." if aliases else words


def param_schema(endpoint: Endpoint, param: Param) -> Schema:
    """Return the JSON Schema of a param's values, as a caller writes them."""
    schema = _list_schema(param) if is_list(endpoint, param) else _value_schema(param)
    if param.default is None:
        return schema
    name = UNSENT_DEFAULT if endpoint.combinations else "default"
    return {**schema, name: _shown(param, param.default)}


def reserved_schemas(endpoint: Endpoint) -> dict[str, Schema]:
    """Return the JSON Schemas of the params that every endpoint takes, by name."""
    highest = endpoint.max_limit
    columns = list_pattern(one_of(endpoint.columns), len(endpoint.columns))
    return {
        "limit": {
            "type": "integer", "minimum": 1, "maximum": highest, "default": endpoint.default_limit
        },
        "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, UNSENT_DEFAULT: 0},
        "columns": {"type": "string", "pattern": columns},
        "cursor": {"type": "string", "pattern": CURSOR_PATTERN},
    }  # fmt: skip


RESERVED_MEANINGS: Mapping[str, str] = {
    "limit": "How many rows at most.",
    "offset": "How many rows to skip. Not beside cursor.",
    "columns": "A comma-separated choice of columns; they come in the endpoint's order.",
    "cursor": "Where the last page ended: its meta.next_cursor. Not beside offset.",
}


def _test(endpoint: Endpoint, param: Param, item: Filter) -> str:
    words = _WORDS_OF_TIME if param.type in ("date", "timestamp") else _WORDS
    aliases = {one.column: one.alias for one in endpoint.select if one.agg is None}
    return f"{aliases.get(item.column, item.column)} {words.get(item.op, _WORDS[item.op])}"


def _list_schema(param: Param) -> Schema:
    aliases = [text for text in param.aliases if "," not in text]
    if param.enum:
        item = one_of([text for text in (*param.enum, *aliases) if "," not in text])
    else:
        item = _ITEMS.get(param.type, f"[^,]{{1,{param.max_length}}}")
        # No text may match twice: to find out that a list is wrong would take exponential time.
        others = [text for text in aliases if not re.fullmatch(item, text)]
        item = f"(?:{item}|{one_of(others)})" if others else item
    pattern = list_pattern(item, MAX_LIST_VALUES)
    return {"type": "string", "pattern": pattern, "maxLength": MAX_QUERY_BYTES, **_bounds(param)}


def _value_schema(param: Param) -> Schema:
    if param.enum:
        return {"type": "string", "enum": [*param.enum, *param.aliases]}
    schema = _plain_schema(param)
    if not param.aliases or param.type == "string":
        return schema
    return {"anyOf": [schema, {"type": "string", "enum": list(param.aliases)}]}


def _plain_schema(param: Param) -> Schema:
    if param.type == "string":
        # An alias may be longer than what it stands for.
        longest = max((param.max_length, *map(len, param.aliases)))
        return {"type": "string", "maxLength": longest}
    if param.type == "integer":
        low = INT64_MIN if param.min is None else param.min
        high = INT64_MAX if param.max is None else param.max
        return {"type": "integer", "format": "int64", "minimum": low, "maximum": high}
    if param.type == "number":
        bounds = {"minimum": param.min, "maximum": param.max}
        found = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"type": "number", "format": "double", **found}
    if param.type == "boolean":
        return {"type": "boolean"}
    kind = "date" if param.type == "date" else "date-time"
    return {"type": "string", "format": kind, **_bounds(param)}


def _bounds(param: Param) -> Schema:
    """Return the bounds that JSON Schema has no words for."""
    bounds = {"x-offloader-minimum": param.min, "x-offloader-maximum": param.max}
    return {name: _shown(param, bound) for name, bound in bounds.items() if bound is not None}


def _shown(param: Param, value: ParamValue) -> ParamValue:
    """Return a value as JSON: a date or a time as its text."""
    return format_value(param.type, value) if param.type in ("date", "timestamp") else value
