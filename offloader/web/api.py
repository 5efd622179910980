"""The API port: named endpoints and a health check, nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest

from offloader.service.worker.answer import Query, Response, answer
from offloader.service.worker.generation import Generation
from offloader.service.worker.prepare import Prepared, Request, prepare
from offloader.service.worker.refusals import not_ready
from offloader.service.worker.view import View, reasons_not_ready
from offloader.shared.slots import Head
from offloader.web.access_log import Record, endpoint_shown
from offloader.web.cors import preflight_headers
from offloader.web.hot_path import HotPath
from offloader.web.kept_requests import KeptRequests
from offloader.web.reply import (
    Composed,
    close_after,
    error_response,
    refusal,
    request_id_of,
    translate,
)
from offloader.web.request_head import ROUTE
from offloader.web.response_head import CommonFields, compose
from offloader.web.trace import begin_trace, request_spans
from offloader.web.trace_context import traceparent_of
from offloader.web.worker import Worker

api = Blueprint("api")

_IN_FLIGHT = Head.IN_FLIGHT


def equip(ctx: SimpleNamespace, worker: Worker, clock: Callable[[], float] = time.time) -> None:
    """Give the API's app what both paths of a request answer with; `clock` as `time.time`."""
    ctx.worker = worker
    ctx.clock = clock
    ctx.common = CommonFields(worker.settings.cors_origins)
    ctx.record = Record(worker.counters, worker.settings.access_log)
    ctx.prepared = KeptRequests[Prepared]()
    ctx.spans = request_spans(worker.settings.traces)
    ctx.hot_path = HotPath(worker, ctx.common, ctx.record, clock)


async def endpoint(request: HttpRequest, name: str) -> HTTPResponse:
    """Answer one endpoint."""
    began_ns = time.perf_counter_ns()
    ctx = request.app.ctx
    worker: Worker = ctx.worker
    generation = worker.attachment.generation()
    request_id, shown = request_id_of(request), endpoint_shown(generation, name)
    trace = begin_trace(ctx.spans, request, shown)
    worker.head[_IN_FLIGHT] += 1
    try:
        if generation is None:
            raise not_ready("this worker is not ready yet")
        now = ctx.clock()
        found = answer(generation, _prepared(generation, request, name, now), now, worker.cache)
        if isinstance(found, Query):
            found = await worker.finish(generation, found)
    except Exception as error:
        # Not kept under a name: its traceback holds this frame, and that would hold it.
        found = refusal(translate(error, request, request_id, trace.traceparent, shown), request_id)
    finally:
        worker.head[_IN_FLIGHT] -= 1
    is_authed = generation is None or generation.catalog.auth_required
    response = _composed(worker, request, found, request_id, is_authed=is_authed)
    duration_ns = time.perf_counter_ns() - began_ns
    sent = trace.traceparent
    ctx.record.note(generation, name, request.method, found, request_id, duration_ns, sent)
    trace.end(generation, found)
    return response


def _prepared(generation: Generation, request: HttpRequest, name: str, now: float) -> Prepared:
    """Return a request as it passed every check, this time or before."""
    kept: KeptRequests[Prepared] = request.app.ctx.prepared
    found = kept.get(request.head)
    if found is None or found.number != generation.number:
        found = prepare(generation, _asked(request, name), now)
        sent = request.headers
        if "x-request-id" not in sent and "traceparent" not in sent:  # they are new each time
            kept.keep(request.head, found)
    return found


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
    request_id = request_id_of(request)
    traceparent = traceparent_of(request)
    told = translate(error, request, request_id, traceparent)
    found = refusal(told, request_id)
    worker: Worker | None = getattr(request.app.ctx, "worker", None)
    if worker is None:
        return error_response(told, request_id)
    request.app.ctx.record.note(None, "-", request.method, found, request_id, 0, traceparent)
    return _composed(worker, request, found, request_id, is_authed=False)


def _asked(request: HttpRequest, name: str) -> Request:
    headers = request.headers
    return Request(
        endpoint=name,
        query=request._parsed_url.query or b"",
        authorization=headers.get("authorization"),
        accept=headers.get("accept"),
        if_none_match=headers.get("if-none-match"),
        accept_encoding=headers.get("accept-encoding"),
    )


def _composed(
    worker: Worker, request: HttpRequest, found: Response, request_id: str, *, is_authed: bool
) -> HTTPResponse:
    common: CommonFields = request.app.ctx.common
    lines = compose(
        found, request_id, common.of(request.headers.get("origin"), is_authed=is_authed)
    )
    if worker.is_draining:
        close_after(request)
    return Composed(found, lines)


api.add_route(endpoint, f"{ROUTE}<name:str>", methods=("GET", "HEAD"))
api.add_route(preflight, f"{ROUTE}<name:str>", methods=("OPTIONS",))
api.add_route(healthz, "/healthz", methods=("GET", "HEAD"))
