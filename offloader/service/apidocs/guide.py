"""The guide for those who integrate: everything `/docs` says, as one JSON document."""

from __future__ import annotations

from dataclasses import replace

from offloader import __version__
from offloader.catalog.model import Catalog, Endpoint, Param
from offloader.catalog.values import format_value
from offloader.query.formats import FORMATS
from offloader.service.apidocs.columns import AnswerColumn, answer_columns, column_schema
from offloader.service.apidocs.examples import KEY_VARIABLE, Example, examples
from offloader.service.apidocs.openapi import API_PATH
from offloader.service.apidocs.params import (
    RESERVED_MEANINGS,
    UNSENT_DEFAULT,
    is_list,
    meaning,
    param_schema,
    reserved_schemas,
)
from offloader.service.apidocs.refusals import refusals
from offloader.service.apidocs.samples import sample_answer, sample_params
from offloader.service.apidocs.schemas import SCHEMA_PATH

DEFAULT_URL = "http://127.0.0.1:4000"
TASKS = {
    "again": "Ask again cheaply",
    "pages": "Read all pages",
    "errors": "Handle refusals",
}


def guide(catalog: Catalog, url: str) -> dict[str, object]:
    """Return the guide; examples call the API at `url`, which has no slash at its end."""
    endpoints = [endpoint for _, endpoint in sorted(catalog.endpoints.items())]
    refused = refusals(is_authed=catalog.auth_required)
    return {
        "catalog_revision": catalog.revision,
        "version": __version__,
        "url": url,
        "authentication": "bearer" if catalog.auth_required else "none",
        "key_variable": KEY_VARIABLE,
        "formats": list(FORMATS),
        "endpoints": [_endpoint(catalog, endpoint, url) for endpoint in endpoints],
        "tasks": _tasks(catalog, endpoints[0], url) if endpoints else [],
        "errors": [
            {
                "status": told.status,
                "families": list(told.families),
                "codes": list(told.codes),
                "when": told.when,
                "remedy": told.remedy,
            }
            for told in refused
        ],
    }


def _endpoint(catalog: Catalog, endpoint: Endpoint, url: str) -> dict[str, object]:
    dataset = catalog.datasets[endpoint.dataset]
    columns = answer_columns(dataset, endpoint)
    return {
        "name": endpoint.name,
        "path": f"{API_PATH}/{endpoint.name}",
        "schema": f"{SCHEMA_PATH}/{endpoint.name}",
        "version": endpoint.version,
        "owner": endpoint.owner,
        "description": endpoint.description,
        "dataset": endpoint.dataset,
        "serving_mode": endpoint.serving_mode,
        "is_tenant_scoped": endpoint.tenant_column is not None,
        "max_staleness_minutes": endpoint.max_staleness_minutes,
        "params": [*(_param(endpoint, p) for p in endpoint.params), *_reserved(endpoint)],
        "combinations": sorted(map(sorted, endpoint.combinations)),
        "columns": [_column(column) for column in columns],
        "examples": examples("first", _example(catalog, endpoint, url)),
        "answer": sample_answer(dataset, endpoint),
    }


def _tasks(catalog: Catalog, endpoint: Endpoint, url: str) -> list[dict[str, object]]:
    example = _example(catalog, endpoint, url)
    return [
        {"name": name, "title": title, "examples": examples(name, example)}
        for name, title in TASKS.items()
    ]


def _example(catalog: Catalog, endpoint: Endpoint, url: str) -> Example:
    return Example(
        url=f"{url}{API_PATH}/{endpoint.name}",
        params=sample_params(endpoint),
        columns=answer_columns(catalog.datasets[endpoint.dataset], endpoint),
        is_authed=catalog.auth_required,
    )


def _param(endpoint: Endpoint, param: Param) -> dict[str, object]:
    schema = param_schema(endpoint, param)
    return {
        "name": param.name,
        "type": f"list of {param.type}" if is_list(endpoint, param) else param.type,
        "is_required": param.required,
        "is_reserved": False,
        "description": meaning(endpoint, param),
        "default": schema.get("default", schema.get(UNSENT_DEFAULT)),
        "values": [*param.enum, *param.aliases],
        "limits": _limits(param, "each " if is_list(endpoint, param) else ""),
        "schema": schema,
    }


def _limits(param: Param, each: str) -> str:
    """Return the bounds of a param in words."""
    words = []
    if param.min is not None:
        words.append(f"at least {format_value(param.type, param.min)}")
    if param.max is not None:
        words.append(f"at most {format_value(param.type, param.max)}")
    if param.type == "string" and not param.enum:
        words.append(f"at most {param.max_length} characters")
    return each + ", ".join(words) if words else ""


def _reserved(endpoint: Endpoint) -> list[dict[str, object]]:
    limits = {
        "limit": f"at least 1, at most {endpoint.max_limit}",
        "offset": "at least 0",
        "columns": "names of columns below",
        "cursor": "60 characters",
    }
    return [
        {
            "name": name,
            "type": "list of string" if name == "columns" else schema["type"],
            "is_required": False,
            "is_reserved": True,
            "description": RESERVED_MEANINGS[name],
            "default": schema.get("default", schema.get(UNSENT_DEFAULT)),
            "values": [],
            "limits": limits[name],
            "schema": schema,
        }
        for name, schema in reserved_schemas(endpoint).items()
    ]


def _column(column: AnswerColumn) -> dict[str, object]:
    return {
        "name": column.name,
        "type": str(column.type),
        "json": _json_type(column),
        "is_nullable": column.is_nullable,
        "aggregate": column.agg,
    }


def _json_type(column: AnswerColumn) -> str:
    """Return how a value looks in JSON, when it is not null."""
    schema = column_schema(replace(column, is_nullable=False))
    if "type" not in schema:
        return "any JSON"
    kind = str(schema["type"])
    return f"{kind}, {schema['format']}" if kind == "string" and "format" in schema else kind
