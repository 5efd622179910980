"""The product API of one project as an OpenAPI 3.1 document, made of its catalog.

HEAD answers as GET without a body, on every path; generators would make a second function of each
endpoint of it, so it is said in words. `servers` is relative: a client is told where the API is.
"""

from __future__ import annotations

from offloader import __version__
from offloader.catalog.json_schema import DIALECT
from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.model import Catalog, Endpoint
from offloader.query.formats import ARROW, CSV, JSON, NDJSON
from offloader.service.apidocs.columns import answer_columns, row_schema
from offloader.service.apidocs.openapi_parts import (
    ANSWER_HEADERS,
    SECURITY_SCHEME,
    components,
    header_refs,
)
from offloader.service.apidocs.params import (
    RESERVED_MEANINGS,
    meaning,
    param_schema,
    reserved_schemas,
)
from offloader.service.apidocs.refusals import refusals
from offloader.service.apidocs.samples import sample_answer, sample_values

API_PATH = "/v1/endpoints"
_HEALTH = "health"


def openapi(catalog: Catalog) -> dict[str, object]:
    """Return the document; nothing in it is of a tenant, a key or a file."""
    parts = components(is_authed=catalog.auth_required)
    paths: dict[str, object] = {}
    for name, endpoint in sorted(catalog.endpoints.items()):
        columns = answer_columns(catalog.datasets[endpoint.dataset], endpoint)
        row, answer = f"{name}_row", f"{name}_answer"
        parts["schemas"][row] = row_schema(columns, is_whole=False)
        parts["schemas"][answer] = _answer_schema(endpoint, row)
        paths[f"{API_PATH}/{name}"] = {"get": _operation(catalog, endpoint)}
    paths["/healthz"] = {"get": _health()}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "Offloader API",
            "version": "1",
            "description": "Named, read-only endpoints. HEAD answers as GET, without a body.",
        },
        "x-offloader-catalog-revision": catalog.revision,
        "x-offloader-version": __version__,
        "servers": [{"url": "/", "description": "The API port of this service"}],
        "tags": _tags(catalog),
        "paths": paths,
        "components": parts,
        "security": [{SECURITY_SCHEME: []}] if catalog.auth_required else [],
    }


def _tags(catalog: Catalog) -> list[dict[str, str]]:
    used = sorted({endpoint.dataset for endpoint in catalog.endpoints.values()})
    found = [(name, catalog.datasets[name].description) for name in used]
    tags = [{"name": name, "description": text} for name, text in found]
    return tags if _HEALTH in used else [*tags, {"name": _HEALTH, "description": ""}]


def _operation(catalog: Catalog, endpoint: Endpoint) -> dict[str, object]:
    summary, _, _ = endpoint.description.partition("\n")
    operation: dict[str, object] = {
        "operationId": endpoint.name,
        "summary": summary or endpoint.name,
        "description": "\n\n".join(_paragraphs(endpoint)),
        "tags": [endpoint.dataset],
        "parameters": _parameters(endpoint),
        "responses": _responses(catalog, endpoint),
        "x-offloader-endpoint-version": endpoint.version,
        "x-offloader-serving-mode": endpoint.serving_mode,
        "x-offloader-max-staleness-minutes": endpoint.max_staleness_minutes,
    }
    if endpoint.owner:
        operation["x-offloader-owner"] = endpoint.owner
    if endpoint.combinations:
        operation["x-offloader-combinations"] = sorted(map(sorted, endpoint.combinations))
    return operation


def _paragraphs(endpoint: Endpoint) -> list[str]:
    found = [endpoint.description] if endpoint.description else []
    found.append("`Accept` chooses the format, `Accept-Encoding` gzip or zstd.")
    if endpoint.tenant_column is not None:
        found.append("Rows are those of the key's tenant.")
    if endpoint.combinations:
        sets = "; ".join(", ".join(sorted(sent)) or "none" for sent in endpoint.combinations)
        found.append(f"Send exactly one of these sets of params: {sets}.")
    return found


def _parameters(endpoint: Endpoint) -> list[object]:
    values = sample_values(endpoint)
    own = [
        {
            "name": param.name,
            "in": "query",
            "description": meaning(endpoint, param),
            "required": param.required,
            "schema": param_schema(endpoint, param),
            **({"example": values[param.name]} if param.name in values else {}),
        }
        for param in endpoint.params
    ]
    reserved = [
        {"name": name, "in": "query", "description": RESERVED_MEANINGS[name], "schema": schema}
        for name, schema in reserved_schemas(endpoint).items()
    ]
    shared = [{"$ref": f"#/components/parameters/{name}"} for name in ("IfNoneMatch", "XRequestId")]
    return [*own, *reserved, *shared]


def _answer_schema(endpoint: Endpoint, row: str) -> Schema:
    rows = {
        "type": "array",
        "maxItems": endpoint.max_limit,
        "items": {"$ref": f"#/components/schemas/{row}"},
    }
    return {
        "type": "object",
        "properties": {"data": rows, "meta": {"$ref": "#/components/schemas/Meta"}},
        "required": ["data", "meta"],
    }


def _responses(catalog: Catalog, endpoint: Endpoint) -> dict[str, object]:
    answer = {"$ref": f"#/components/schemas/{endpoint.name}_answer"}
    example = sample_answer(catalog.datasets[endpoint.dataset], endpoint)
    refused = refusals(is_authed=catalog.auth_required)
    return {
        "200": {
            "description": "The rows. Each has every column, unless `columns` chooses some.",
            "headers": header_refs(ANSWER_HEADERS),
            "content": {
                JSON: {"schema": answer, "example": example},
                NDJSON: {"schema": _text("One row as JSON a line; no meta")},
                CSV: {"schema": _text("RFC 4180 with a header line; no meta")},
                ARROW: {"schema": {"description": "An Arrow IPC stream; meta is in its schema"}},
            },
        },
        "304": {"$ref": "#/components/responses/NotModified"},
        **{str(told.status): {"$ref": f"#/components/responses/{told.name}"} for told in refused},
    }


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _health() -> dict[str, object]:
    unavailable = {"$ref": "#/components/responses/Unavailable"}
    return {
        "operationId": "getHealthz",  # no endpoint's name has a capital
        "summary": "Whether this instance can serve",
        "description": "For load balancers.",
        "tags": [_HEALTH],
        "security": [],
        "responses": {
            "200": {
                "description": "It can.",
                "content": {"text/plain": {"schema": {"type": "string", "const": "ok\n"}}},
            },
            "503": unavailable,
        },
    }
