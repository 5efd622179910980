"""The admin port: health, readiness, status, metrics and diagnostics."""

from __future__ import annotations

import hmac
import json
import time

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest

from offloader.errors import RequestError
from offloader.service.worker.metrics import exposition
from offloader.service.worker.status import View, diagnostics, reasons_not_ready, status
from offloader.web.reply import error_response, request_id_of, translate
from offloader.web.worker import Worker

admin = Blueprint("admin")


async def live(_request: HttpRequest) -> HTTPResponse:
    """Say that this process answers."""
    return _json({"live": True})


async def ready(request: HttpRequest) -> HTTPResponse:
    """Say whether this instance can serve, and if not, why."""
    reasons = reasons_not_ready(_view(request))
    return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


async def show_status(request: HttpRequest) -> HTTPResponse:
    """Show what is served."""
    return _json(status(_view(request), time.time()))


async def metrics(request: HttpRequest) -> HTTPResponse:
    """Expose the metrics of the whole instance."""
    body = exposition(lambda: _view(request))
    return HTTPResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)


async def show_diagnostics(request: HttpRequest) -> HTTPResponse:
    """Show the insides, to whoever has the admin token."""
    _check_token(request)
    return _json(diagnostics(_view(request), time.time()))


async def refuse(request: HttpRequest, error: Exception) -> HTTPResponse:
    """Answer what went wrong."""
    return error_response(translate(error, request), request_id_of(request))


def _check_token(request: HttpRequest) -> None:
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


def _worker(request: HttpRequest) -> Worker:
    worker: Worker = request.app.ctx.worker
    return worker


def _view(request: HttpRequest) -> View:
    return View.of(_worker(request).attachment)


def _json(document: object, status_code: int = 200) -> HTTPResponse:
    body = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    headers = {"Cache-Control": "no-store"}
    return HTTPResponse(body, status_code, headers, content_type="application/json")


for _path, _handler in (
    ("/live", live),
    ("/ready", ready),
    ("/status", show_status),
    ("/metrics", metrics),
    ("/diagnostics", show_diagnostics),
):
    admin.add_route(_handler, _path, methods=("GET", "HEAD"))
