"""JSON Schemas of what stands around the rows: `meta`, and the body of a refusal."""

from __future__ import annotations

from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.model import Endpoint
from offloader.query.params import MAX_OFFSET
from offloader.service.apidocs.params import CURSOR_PATTERN
from offloader.service.apidocs.refusals import families


def meta_schema() -> Schema:
    """Return the schema of `meta` in the answers of any endpoint."""
    return _object(
        {
            "endpoint": {"type": "string"},
            "version": {"type": "integer", "description": "The version of the contract"},
            "snapshot_id": {"type": "string", "description": "The snapshot that answered"},
            "row_count": {"type": "integer", "minimum": 0, "description": "The rows in data"},
            "limit": {"type": "integer", "minimum": 1},
            "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
            "next_offset": {
                "type": ["integer", "null"],
                "description": "The offset of the next page; null on the last",
            },
            "next_cursor": {
                "type": ["string", "null"],
                "pattern": CURSOR_PATTERN,
                "description": "The cursor of the next page, on this snapshot; null on the last",
            },
            "serving_mode": {"type": "string", "enum": ["local_table", "remote_scan"]},
            "freshness": _freshness({"type": ["number", "null"]}),
        }
    )


def meta_schema_of(endpoint: Endpoint) -> Schema:
    """Return the schema of `meta` in the answers of one endpoint, with its own values."""
    schema = meta_schema()
    properties = schema["properties"]
    assert isinstance(properties, dict)
    own = {
        "endpoint": {"const": endpoint.name},
        "version": {"const": endpoint.version},
        "row_count": {"type": "integer", "minimum": 0, "maximum": endpoint.max_limit},
        "limit": {"type": "integer", "minimum": 1, "maximum": endpoint.max_limit},
        "serving_mode": {"const": endpoint.serving_mode},
        "freshness": _freshness({"const": endpoint.max_staleness_minutes}),
    }
    return {**schema, "properties": {**properties, **own}}


def error_schema() -> Schema:
    """Return the schema of the body of a refusal."""
    error = _object(
        {
            "family": {"type": "string", "enum": families()},
            "code": {"type": "string", "description": "Stable; see the responses for the codes"},
            "message": {"type": "string", "description": "For people; may change"},
        }
    )
    param: Schema = {"type": "string", "description": "The param to blame, if one is"}
    properties = error["properties"]
    assert isinstance(properties, dict)
    error["properties"] = {**properties, "param": param}
    meta = _object({"request_id": {"type": "string", "description": "Quote it to ask for help"}})
    return _object({"error": error, "meta": meta})


def _freshness(minutes: Schema) -> Schema:
    return _object(
        {
            "watermark": {
                "type": "string",
                "format": "date-time",
                "description": "The time up to which the data is complete",
            },
            "max_staleness_minutes": {
                **minutes,
                "description": "The endpoint's freshness window; null when it has none",
            },
            "stale": {
                "type": "boolean",
                "description": "Whether the watermark is older than the window",
            },
        }
    )


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}
