"""Routes of the admin port that describe the product API: `/docs`, `/openapi.json`, `/schema`.

All is made of the served catalog when it is asked for, and has an ETag of the catalog's revision:
to ask again costs nothing until the project changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import ujson
import xxhash
from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest

from offloader import __version__
from offloader.catalog.model import Catalog
from offloader.errors import RequestError
from offloader.service.apidocs.guide import DEFAULT_URL, guide
from offloader.service.apidocs.openapi import openapi
from offloader.service.apidocs.schemas import endpoint_schema, schema_index
from offloader.service.worker.generation import Generation
from offloader.service.worker.negotiate import matches
from offloader.service.worker.refusals import not_ready
from offloader.web.docs_site.render import docs_headers, docs_html

JSON, SCHEMA_JSON = "application/json", "application/schema+json"
HTML = "text/html; charset=utf-8"

# One at a time: a page of many endpoints takes a tenth of a second, which requests share.
_MAKER = ThreadPoolExecutor(1, thread_name_prefix="docs")

docs_site = Blueprint("docs_site")


async def show_docs(request: HttpRequest) -> HTTPResponse:
    """Show the page, or the same as JSON to whoever prefers that."""
    catalog, url = _catalog(request), _api_url(request)
    wanted = request.accept.match("text/html", JSON)
    if wanted and wanted.mime == JSON:
        return await _answer(request, catalog, JSON, lambda: _json(guide(catalog, url)))
    response = await _answer(request, catalog, HTML, lambda: _page(catalog, url))
    response.headers.update(docs_headers())
    return response


async def show_openapi(request: HttpRequest) -> HTTPResponse:
    """Show the product API as OpenAPI."""
    catalog = _catalog(request)
    return await _answer(request, catalog, JSON, lambda: _json(openapi(catalog)))


async def show_schemas(request: HttpRequest) -> HTTPResponse:
    """Show which schemas there are."""
    catalog = _catalog(request)
    return await _answer(request, catalog, JSON, lambda: _json(schema_index(catalog)))


async def show_schema(request: HttpRequest, name: str) -> HTTPResponse:
    """Show the schema of one endpoint's params, rows and answers."""
    catalog = _catalog(request)
    endpoint = catalog.endpoints.get(name)
    if endpoint is None:
        message = "there is no such endpoint: /schema lists them"
        raise RequestError(404, "not_found", "not_found", message)
    make = partial(endpoint_schema, catalog, endpoint)
    return await _answer(request, catalog, SCHEMA_JSON, lambda: _json(make()))


def _catalog(request: HttpRequest) -> Catalog:
    """Return the catalog that is served right now."""
    generation: Generation | None = request.app.ctx.worker.attachment.generation()
    if generation is None:
        raise not_ready("this worker has not attached the served generation")
    return generation.catalog


async def _answer(
    request: HttpRequest, catalog: Catalog, content_type: str, make: Callable[[], bytes]
) -> HTTPResponse:
    """Answer what `make` makes, off the loop; 304 when the caller has it."""
    tag = _tag(request, content_type, catalog)
    headers = {
        "Cache-Control": "no-cache",
        "ETag": tag,
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    if matches(request.headers.get("if-none-match"), tag):
        return HTTPResponse(status=304, headers=headers)
    body = await asyncio.get_running_loop().run_in_executor(_MAKER, make)
    return HTTPResponse(body, headers=headers, content_type=content_type)


def _tag(request: HttpRequest, content_type: str, catalog: Catalog) -> str:
    """Return the ETag: all that a document is made of, whose own bytes need not be made for it."""
    parts = (__version__, catalog.revision, request.path, content_type, _api_url(request))
    return f'"{xxhash.xxh3_128_hexdigest(chr(0).join(parts).encode())}"'


def _api_url(request: HttpRequest) -> str:
    """Return an address of the API port; only who runs the instance knows the one callers use."""
    port = request.app.ctx.worker.settings.api_port
    return f"http://127.0.0.1:{port}" if port else DEFAULT_URL


def _page(catalog: Catalog, url: str) -> bytes:
    return docs_html(guide(catalog, url), is_served=True).encode()


def _json(document: object) -> bytes:
    return ujson.dumps(document, ensure_ascii=False, escape_forward_slashes=False).encode() + b"\n"


for _path, _handler in (
    ("/docs", show_docs),
    ("/openapi.json", show_openapi),
    ("/schema", show_schemas),
    ("/schema/<name:str>", show_schema),
):
    docs_site.add_route(_handler, _path, methods=("GET", "HEAD"))
