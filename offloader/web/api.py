"""The API port: named endpoints and a health check, nothing else."""

from __future__ import annotations

import time

from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest

from offloader.errors import RequestError
from offloader.service.worker.answer import Headers, Query, Request, Response, begin, not_ready
from offloader.service.worker.status import View, reasons_not_ready
from offloader.shared.slots import Head
from offloader.web.access_log import log_request
from offloader.web.cors import cors_headers, preflight_headers, vary
from offloader.web.reply import close_after, error_response, request_id_of, translate
from offloader.web.worker import Worker

api = Blueprint("api")


async def endpoint(request: HttpRequest, name: str) -> HTTPResponse:
    """Answer one endpoint."""
    worker: Worker = request.app.ctx.worker
    began_ns = time.perf_counter_ns()
    worker.head[Head.IN_FLIGHT] += 1
    try:
        return await _answer(worker, request, name, began_ns)
    finally:
        worker.head[Head.IN_FLIGHT] -= 1


async def _answer(worker: Worker, request: HttpRequest, name: str, began_ns: int) -> HTTPResponse:
    generation = worker.attachment.generation()
    request_id = request_id_of(request)
    try:
        answer = begin(generation, _asked(request, name), time.time())
        if isinstance(answer, Query) and generation is not None:
            answer = await worker.finish(generation, answer)
        assert isinstance(answer, Response)
        response = _response(answer, request_id)
        rows_scanned, cache = answer.rows_scanned, answer.cache
    except Exception as error:
        response = error_response(translate(error, request), request_id)
        rows_scanned, cache = 0, ""
    is_authed = generation is None or generation.catalog.auth_required
    _add_headers(worker, request, response, is_authed=is_authed)
    row = generation.rows.get(name, 0) if generation is not None else 0
    duration_ns = time.perf_counter_ns() - began_ns
    worker.counters.count(row, response.status, duration_ns, rows_scanned, cache)
    shown = name if row else "-"
    log_request(worker.settings.access_log, request, response, request_id, shown, duration_ns)
    return response


async def preflight(request: HttpRequest, name: str) -> HTTPResponse:  # noqa: ARG001
    """Answer a browser's question; the same for every name, so that it tells nothing."""
    worker: Worker = request.app.ctx.worker
    origins = worker.settings.cors_origins
    headers = preflight_headers(origins, request.headers.get("origin"))
    if origins and origins != ("*",):
        headers["Vary"] = "Origin"
    headers["X-Request-Id"] = request_id_of(request)
    return HTTPResponse(status=204, headers=headers)


async def healthz(request: HttpRequest) -> HTTPResponse:
    """Say whether this instance can serve, and no more."""
    worker: Worker = request.app.ctx.worker
    if reasons_not_ready(View.of(worker.attachment)):
        raise not_ready("this instance cannot serve")
    return HTTPResponse(b"ok\n", headers={"Cache-Control": "no-store"}, content_type="text/plain")


async def refuse(request: HttpRequest, error: Exception) -> HTTPResponse:
    """Answer what went wrong before, or outside of, an endpoint."""
    told: RequestError = translate(error, request)
    request_id = request_id_of(request)
    response = error_response(told, request_id)
    worker: Worker | None = getattr(request.app.ctx, "worker", None)
    if worker is not None:
        _add_headers(worker, request, response, is_authed=False)
        worker.counters.count(0, response.status, 0, 0, "")
        log_request(worker.settings.access_log, request, response, request_id, "-", 0)
    return response


def _asked(request: HttpRequest, name: str) -> Request:
    headers = request.headers
    return Request(
        endpoint=name,
        query=request._parsed_url.query or b"",
        authorization=headers.get("authorization"),
        accept=headers.get("accept"),
        if_none_match=headers.get("if-none-match"),
    )


def _response(answer: Response, request_id: str) -> HTTPResponse:
    headers: Headers = (*answer.headers, ("X-Request-Id", request_id))
    content_type = answer.content_type or None
    return HTTPResponse(answer.body, answer.status, dict(headers), content_type=content_type)


def _add_headers(
    worker: Worker, request: HttpRequest, response: HTTPResponse, *, is_authed: bool
) -> None:
    origins = worker.settings.cors_origins
    response.headers["Vary"] = vary(origins, is_authed=is_authed)
    response.headers["X-Content-Type-Options"] = "nosniff"
    if origins:
        response.headers.update(cors_headers(origins, request.headers.get("origin")))
    if worker.is_draining:
        close_after(request)


api.add_route(endpoint, "/v1/endpoints/<name:str>", methods=("GET", "HEAD"))
api.add_route(preflight, "/v1/endpoints/<name:str>", methods=("OPTIONS",))
api.add_route(healthz, "/healthz", methods=("GET", "HEAD"))
