"""JSON Schemas (2020-12) of an endpoint's params, rows and answers; what `/schema` shows."""

from __future__ import annotations

from offloader.catalog.json_schema import DIALECT
from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.model import Catalog, Endpoint
from offloader.service.apidocs.columns import answer_columns, row_schema
from offloader.service.apidocs.envelope import meta_schema_of
from offloader.service.apidocs.params import (
    RESERVED_MEANINGS,
    meaning,
    param_schema,
    reserved_schemas,
)

SCHEMA_PATH = "/schema"


def schema_index(catalog: Catalog) -> dict[str, object]:
    """Return what schemas there are, and where."""
    return {
        "catalog_revision": catalog.revision,
        "dialect": DIALECT,
        "endpoints": [
            {
                "name": endpoint.name,
                "version": endpoint.version,
                "description": endpoint.description,
                "schema": f"{SCHEMA_PATH}/{endpoint.name}",
            }
            for _, endpoint in sorted(catalog.endpoints.items())
        ],
    }


def endpoint_schema(catalog: Catalog, endpoint: Endpoint) -> Schema:
    """Return the schema of an endpoint's JSON answers; params and rows are among its `$defs`.

    `params` takes them typed, as they are before a query string is made of them. `row` has every
    column, `chosen_row` is one of a request that sends `columns`.
    """
    columns = answer_columns(catalog.datasets[endpoint.dataset], endpoint)
    rows: Schema = {
        "type": "array",
        "maxItems": endpoint.max_limit,
        "items": {"anyOf": [{"$ref": "#/$defs/row"}, {"$ref": "#/$defs/chosen_row"}]},
    }
    return {
        "$schema": DIALECT,
        "$id": f"{SCHEMA_PATH}/{endpoint.name}",
        "title": endpoint.name,
        "description": endpoint.description,
        "type": "object",
        "properties": {"data": rows, "meta": {"$ref": "#/$defs/meta"}},
        "required": ["data", "meta"],
        "$defs": {
            "params": _params(endpoint),
            "row": row_schema(columns, is_whole=True),
            "chosen_row": row_schema(columns, is_whole=False),
            "meta": meta_schema_of(endpoint),
        },
    }


def _params(endpoint: Endpoint) -> Schema:
    own: dict[str, Schema] = {
        param.name: {**param_schema(endpoint, param), "description": meaning(endpoint, param)}
        for param in endpoint.params
    }
    reserved: dict[str, Schema] = {
        name: {**schema, "description": RESERVED_MEANINGS[name]}
        for name, schema in reserved_schemas(endpoint).items()
    }
    schema: Schema = {
        "type": "object",
        "properties": own | reserved,
        "required": [param.name for param in endpoint.params if param.required],
        "additionalProperties": False,
        "not": {"required": ["cursor", "offset"]},
    }
    if endpoint.combinations:
        names = [param.name for param in endpoint.params]
        schema["anyOf"] = [_exactly(sorted(sent), names) for sent in endpoint.combinations]
    return schema


def _exactly(sent: list[str], names: list[str]) -> Schema:
    """Return the schema of objects that have these of the names and no other."""
    return {"required": sent, "properties": {n: False for n in names if n not in sent}}
