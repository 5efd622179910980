"""The JSON Schema of an endpoint file."""

from __future__ import annotations

from offloader.catalog import endpoint, endpoint_query, param
from offloader.catalog.fields import MAX_ITEMS, MAX_TEXT
from offloader.catalog.json_schema_parts import (
    Schema,
    choice,
    flag,
    identifier,
    integer,
    items,
    mapping,
    names,
    number,
    text,
)


def endpoint_schema() -> Schema:
    """Return the schema of endpoints/*.yml."""
    properties = {
        "name": identifier("The endpoint's name, as in /v1/endpoints/<name>"),
        "version": integer("The contract's version, shown to callers", 1, endpoint.MAX_VERSION),
        "dataset": identifier("The id of the dataset it serves"),
        "owner": text("Who answers for it", maxLength=endpoint.MAX_OWNER_LENGTH),
        "description": text("What it is for, shown in the docs", maxLength=MAX_TEXT),
        "serving_mode": choice(
            "local_table serves out of shared memory; remote_scan reads the files per request",
            endpoint.SERVING_MODES,
            "local_table",
        ),
        "tenant": mapping(
            "Required exactly when the dataset has a tenant_column",
            {"column": identifier("The dataset's tenant_column")},
            ["column"],
        ),
        "freshness": _freshness(),
        "params": items("What a caller may send", _param(), maxItems=endpoint.MAX_PARAMS),
        "combinations": items(
            "The exact sets of params that a caller may send; left out: any set",
            items("One set", identifier("A param's name"), uniqueItems=True),
            minItems=1,
            maxItems=endpoint.MAX_COMBINATIONS,
            uniqueItems=True,
        ),
        "query": _query(),
        "columns": names(
            "The columns a caller may have; left out: all that are selected", "A name"
        ),
        "pagination": _pagination(),
        "cache": mapping(
            "Whether answers are kept",
            {
                "policy": choice(
                    "none computes each answer; snapshot keeps answers for a snapshot's life",
                    endpoint.CACHE_POLICIES,
                )
            },
            ["policy"],
        ),
    }
    return mapping("One named query", properties, ["name", "version", "dataset", "query"])


def _freshness() -> Schema:
    minutes = number(
        "An answer is stale once the watermark is older than this",
        endpoint.MIN_MINUTES,
        endpoint.MAX_MINUTES,
    )
    return mapping(
        "How old an answer may be",
        {"max_staleness_minutes": minutes},
        ["max_staleness_minutes"],
    )


def _pagination() -> Schema:
    return mapping(
        "How many rows a page has",
        {
            "default_limit": {
                **integer("Rows without limit=", 1, endpoint.HIGHEST_LIMIT),
                "default": endpoint.DEFAULT_LIMIT,
            },
            "max_limit": {
                **integer("The highest limit=", 1, endpoint.HIGHEST_LIMIT),
                "default": endpoint.DEFAULT_MAX_LIMIT,
            },
        },
    )


def _param() -> Schema:
    stored = text("The stored value")
    properties = {
        "name": identifier("The param's name in the query string; no reserved name"),
        "type": choice("How its text is read", param.PARAM_TYPES),
        "required": flag("Whether a caller must send it", False),
        "default": _literal("The value when it is not sent", ["string", "number", "boolean"]),
        "enum": items(
            "The values it takes; for the types enum (required) and string",
            text("A value", minLength=1),
            minItems=1,
            maxItems=param.MAX_ENUM_VALUES,
            uniqueItems=True,
        ),
        "min": _literal("The least value, for numbers, dates and timestamps", ["string", "number"]),
        "max": _literal("The greatest value, as min", ["string", "number"]),
        "max_length": {
            **integer("The most characters, for the type string", 1, param.MAX_TEXT_LENGTH),
            "default": param.DEFAULT_MAX_LENGTH,
        },
        "aliases": {
            "type": "object",
            "description": "What a caller may send instead: client value to stored value",
            "additionalProperties": {**stored, "minLength": 1},
            "maxProperties": param.MAX_ALIASES,
        },
    }
    is_enum: Schema = {"properties": {"type": {"const": "enum"}}, "required": ["type"]}
    rule: Schema = {"if": is_enum, "then": {"required": ["enum"]}}
    return {**mapping("One parameter", properties, ["name", "type"]), **rule}


def _literal(description: str, kinds: list[str]) -> Schema:
    return {"type": kinds, "description": description}


def _query() -> Schema:
    select = {
        "as": identifier("The name in the answer"),
        "column": identifier("A column of the dataset"),
        "agg": choice("The aggregate; left out: the plain value", endpoint_query.AGGS),
    }
    filters = {
        "column": identifier("A column of the dataset, not the tenant column"),
        "op": choice("How it is compared with the param", endpoint_query.FILTER_OPS),
        "param": identifier("The param it is compared with"),
    }
    order = {
        "column": identifier("A name that select gives"),
        "dir": choice("The direction; nulls are last in both", endpoint_query.DIRECTIONS, "asc"),
    }
    properties = {
        "select": items(
            "The columns of the answer, in order",
            mapping("One column", select, ["as", "column"]),
            minItems=1,
            maxItems=MAX_ITEMS,
        ),
        "filters": items(
            "Each applies when its param is sent or has a default",
            mapping("One filter", filters, ["column", "op", "param"]),
            maxItems=endpoint_query.MAX_FILTERS,
        ),
        "group_by": names("The plain columns that make groups", "A name that select gives"),
        "order_by": items(
            "How rows are ordered",
            mapping("One order", order, ["column"]),
            maxItems=MAX_ITEMS,
        ),
    }
    return mapping("What is read", properties, ["select"])
