"""The admin port: health, readiness, status, metrics, diagnostics, and actions of operators."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ujson
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest
from sanic.exceptions import MethodNotAllowed

from offloader.errors import RequestError
from offloader.service.actions import KINDS, Action, Kind, Result
from offloader.service.worker.action_client import ask_reloader
from offloader.service.worker.metrics import exposition
from offloader.service.worker.refusals import not_ready
from offloader.service.worker.status import diagnostics, status
from offloader.service.worker.view import View, dataset_names, reasons_not_ready
from offloader.web.admin_actions import (
    DEFAULT_WAIT_SECONDS,
    STATUSES,
    action_of,
    read_body,
    told,
)
from offloader.web.reply import error_response, request_id_of, translate
from offloader.web.trace_context import traceparent_of
from offloader.web.worker import Worker

FINGERPRINT_DIGITS = 12
DRAIN_CHECK_SECONDS = 0.25

admin = Blueprint("admin")


def live(_view: View) -> tuple[int, dict[str, Any]]:
    """Say that this process answers."""
    return 200, {"live": True}


def ready(view: View) -> tuple[int, dict[str, Any]]:
    """Say whether this instance can serve, and if not, why."""
    reasons = reasons_not_ready(view)
    return 503 if reasons else 200, {"ready": not reasons, "reasons": reasons}


# By path. Most probes are answered before Sanic hears of them: see probes.py.
ANSWERS: Mapping[str, Callable[[View], tuple[int, dict[str, Any]]]] = {
    "/live": live,
    "/ready": ready,
}


async def probe(request: HttpRequest) -> HTTPResponse:
    """Answer `/live` or `/ready`."""
    status_code, document = ANSWERS[request.path](_view(request))
    return _json(document, status_code)


async def show_status(request: HttpRequest) -> HTTPResponse:
    """Show what is served."""
    make = partial(status, _view(request), time.time())
    return _json(await asyncio.get_running_loop().run_in_executor(None, make))


async def metrics(request: HttpRequest) -> HTTPResponse:
    """Expose the metrics of the whole instance."""
    view = _view(request)
    # Aside: with many endpoints it takes longer than requests should wait for the loop.
    body = await asyncio.get_running_loop().run_in_executor(None, exposition, lambda: view)
    return HTTPResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)


async def show_diagnostics(request: HttpRequest) -> HTTPResponse:
    """Show the insides, to whoever has the admin token."""
    check_token(request)
    # Aside, as a scrape: the access paths of fifty datasets take longer than a request may wait.
    make = partial(diagnostics, _view(request), time.time())
    return _json(await asyncio.get_running_loop().run_in_executor(None, make))


async def act(request: HttpRequest, dataset: str, kind: Kind) -> HTTPResponse:
    """Have the reloader carry out an action, and say what came of it."""
    by = check_token(request)
    view = _view(request)
    if view.generation is None:
        raise not_ready("this worker has not attached the served generation")
    if dataset not in dataset_names(view):
        message = "there is no such dataset: /status lists them"
        raise RequestError(404, "not_found", "unknown_dataset", message)
    fields = read_body(kind, str(request.headers.get("content-type", "")), request.body)
    action = action_of(kind, dataset, by, fields)
    wait_seconds = fields.get("wait_seconds", DEFAULT_WAIT_SECONDS)
    result = await _ask(_worker(request), action, wait_seconds)
    response = _json(told(action, result), STATUSES[result.outcome])
    response.headers["X-Request-Id"] = request_id_of(request)
    return response


async def _ask(worker: Worker, action: Action, wait_seconds: float) -> Result:
    """Wait for what comes of an action, but not beyond the instance's own life."""
    asking = asyncio.ensure_future(ask_reloader(worker.address, action, wait_seconds))
    try:
        while not worker.is_draining:
            if (await asyncio.wait([asking], timeout=DRAIN_CHECK_SECONDS))[0]:
                return asking.result()
    finally:
        asking.cancel()
    raise not_ready("the instance is stopping, look at /diagnostics of the next one")


async def refuse(request: HttpRequest, error: Exception) -> HTTPResponse:
    """Answer what went wrong."""
    if isinstance(error, MethodNotAllowed):
        # Sanic names none for a path with a parameter: those are actions, and a schema.
        is_action = request.path.startswith("/datasets/")
        error.headers.setdefault("Allow", "POST" if is_action else "GET, HEAD")
    request_id = request_id_of(request)
    told = translate(error, request, request_id, traceparent_of(request))
    return error_response(told, request_id)


def check_token(request: HttpRequest) -> str:
    """Return the fingerprint of the admin token, which the request must bear."""
    token = _worker(request).settings.admin_token
    if token is None:
        message = "set OFFLOADER_ADMIN_TOKEN to use this route"
        raise RequestError(403, "forbidden", "no_admin_token", message)
    scheme, _, sent = str(request.headers.get("authorization", "")).partition(" ")
    given = sent.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given, token.encode()):
        message = "send the admin token as Authorization: Bearer <token>"
        headers = (("WWW-Authenticate", "Bearer"),)
        raise RequestError(401, "unauthorized", "unauthorized", message, headers=headers)
    return hashlib.sha256(given).hexdigest()[:FINGERPRINT_DIGITS]


def _worker(request: HttpRequest) -> Worker:
    worker: Worker = request.app.ctx.worker
    return worker


def _view(request: HttpRequest) -> View:
    return View.of(_worker(request).attachment)


def body_of(document: object) -> bytes:
    """Return a document as JSON, with a line end for terminals."""
    text = ujson.dumps(
        document, ensure_ascii=False, escape_forward_slashes=False, separators=(", ", ": ")
    )
    return text.encode() + b"\n"


def _json(document: object, status_code: int = 200) -> HTTPResponse:
    headers = {"Cache-Control": "no-store"}
    return HTTPResponse(body_of(document), status_code, headers, content_type="application/json")


for _path, _handler in (
    ("/status", show_status),
    ("/metrics", metrics),
    ("/diagnostics", show_diagnostics),
):
    admin.add_route(_handler, _path, methods=("GET", "HEAD"))
for _path in ANSWERS:
    admin.add_route(probe, _path, methods=("GET", "HEAD"), name=_path[1:])
for _kind in KINDS:
    admin.add_route(
        partial(act, kind=_kind), f"/datasets/<dataset:str>/{_kind}", ["POST"], name=_kind
    )
