"""Components of the OpenAPI document: what all endpoints share."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.catalog.json_schema_parts import Schema
from offloader.service.apidocs.envelope import error_schema, meta_schema
from offloader.service.apidocs.refusals import Told, refusals

SECURITY_SCHEME = "key"
_COMMON_HEADERS = ("X-Request-Id",)
SNAPSHOT_HEADERS = (
    "ETag", "Cache-Control", "Vary", "Offloader-Snapshot-Id", "Offloader-Watermark",
    "Offloader-Snapshot-Age", "X-Request-Id",
)  # fmt: skip
ANSWER_HEADERS = (*SNAPSHOT_HEADERS, "Offloader-Cache", "Content-Encoding")

_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "ETag": (
        "Strong. Send it as If-None-Match to ask for something newer.",
        {"type": "string", "pattern": '^"[^"]*"$'},
    ),
    "Cache-Control": ("How long the answer may be kept, and by whom.", {"type": "string"}),
    "Vary": ("The request headers that the answer depends on.", {"type": "string"}),
    "Content-Encoding": (
        "Missing when the body is not compressed.",
        {"type": "string", "enum": ["gzip", "zstd"]},
    ),
    "Offloader-Snapshot-Id": ("The snapshot that answered.", {"type": "string"}),
    "Offloader-Watermark": (
        "The time up to which the data is complete.",
        {"type": "string", "format": "date-time"},
    ),
    "Offloader-Snapshot-Age": (
        "Seconds since the watermark.",
        {"type": "integer", "minimum": 0},
    ),
    "Offloader-Cache": (
        "Whether a kept answer was used.",
        {"type": "string", "enum": ["hit", "miss", "off"]},
    ),
    "X-Request-Id": (
        "The caller's own when it is valid, else a new one. Quote it to ask for help.",
        {"type": "string"},
    ),
    "Retry-After": ("How many seconds to wait.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("The scheme of the key.", {"type": "string", "const": "Bearer"}),
    "Allow": ("The methods that there are.", {"type": "string"}),
}


def components(*, is_authed: bool) -> dict[str, dict[str, object]]:
    """Return schemas, headers, params and refusals; with keys also how they are sent."""
    found: dict[str, dict[str, object]] = {
        "schemas": {"Meta": meta_schema(), "Error": error_schema()},
        "headers": {
            name: {"description": text, "schema": schema}
            for name, (text, schema) in _HEADERS.items()
        },
        "parameters": {
            "IfNoneMatch": {
                "name": "If-None-Match",
                "in": "header",
                "description": "ETags of answers that you have: 304 when the answer is one.",
                "schema": {"type": "string"},
            },
            "XRequestId": {
                "name": "X-Request-Id",
                "in": "header",
                "description": "Your own id of the request; it is kept in answers and logs.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
            },
        },
        "responses": {
            "NotModified": {
                "description": "Nothing has changed since the answer with this ETag.",
                "headers": header_refs(SNAPSHOT_HEADERS),
            },
            **{told.name: _refusal(told) for told in refusals(is_authed=is_authed)},
        },
    }
    if is_authed:
        scheme = {"type": "http", "scheme": "bearer", "description": "The API key."}
        found["securitySchemes"] = {SECURITY_SCHEME: scheme}
    return found


def header_refs(names: tuple[str, ...]) -> dict[str, object]:
    """Return references to headers, by name."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusal(told: Told) -> dict[str, object]:
    codes = ", ".join(told.codes)
    more = {401: ("WWW-Authenticate",), 405: ("Allow",), 503: ("Retry-After",)}
    return {
        "description": f"{told.when} {told.remedy} Codes: {codes}.",
        "headers": header_refs((*_COMMON_HEADERS, *more.get(told.status, ()))),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {told.codes[0]: {"value": told.example}},
            }
        },
    }
