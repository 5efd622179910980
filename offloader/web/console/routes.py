"""The console's routes on the admin port: its page, what refreshes it, and its files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cache, partial

import ujson
from sanic import Blueprint, HTTPResponse
from sanic import Request as HttpRequest

from offloader.service.worker.console.view import Page, page_of
from offloader.service.worker.status import diagnostics
from offloader.service.worker.traffic import traffic_of
from offloader.service.worker.view import View
from offloader.web.admin import check_token
from offloader.web.console.render import PACKAGE, page_html, sections_html
from offloader.web.pages import asset, security_headers
from offloader.web.reply import request_id_of

HTML = "text/html; charset=utf-8"
FILES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "access.js": "text/javascript; charset=utf-8",
    "actions.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "morph.js": "text/javascript; charset=utf-8",
    "console.svg": "image/svg+xml",
}
# Scripts may make HTML of texts in one place only, the one that is named.
TRUSTED = "require-trusted-types-for 'script'; trusted-types console"

console = Blueprint("console")


async def show(request: HttpRequest) -> HTTPResponse:
    """Show the page as whoever has no token sees it."""
    body = await _aside(partial(_page_body, View.of(request.app.ctx.worker.attachment), request))
    return HTTPResponse(body, headers=_page_headers(), content_type=HTML)


async def refresh(request: HttpRequest, *, is_open: bool) -> HTTPResponse:
    """Show what has become of the page; with the admin token the insides, too.

    The open one does not look at Authorization: it may be that of a proxy in between.
    """
    if is_open:
        check_token(request)
    view = View.of(request.app.ctx.worker.attachment)
    body = await _aside(partial(_refresh_body, view, request, is_open=is_open))
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    headers["X-Request-Id"] = request_id_of(request)
    return HTTPResponse(body, headers=headers, content_type="application/json")


async def runbooks(_request: HttpRequest) -> HTTPResponse:
    """Show the runbooks, which the page links to."""
    body = await _aside(_runbooks_body)
    return HTTPResponse(body, headers=_page_headers(), content_type=HTML)


async def show_file(_request: HttpRequest, name: str) -> HTTPResponse:
    """Serve one of the page's files."""
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return HTTPResponse(_file_body(name), headers=headers, content_type=FILES[name])


def _page_of(view: View, request: HttpRequest, *, is_open: bool) -> Page:
    now, has_token = time.time(), request.app.ctx.worker.settings.admin_token is not None
    document = diagnostics(view, now)
    return page_of(document, traffic_of(view), now, is_open=is_open, has_token=has_token)


def _page_body(view: View, request: HttpRequest) -> bytes:
    return page_html(_page_of(view, request, is_open=False)).encode()


def _refresh_body(view: View, request: HttpRequest, *, is_open: bool) -> bytes:
    page = _page_of(view, request, is_open=is_open)
    document = {
        "at": time.time(),
        "is_open": is_open,
        "counts": page.counts,
        "sections": sections_html(page),
    }
    return ujson.dumps(document, ensure_ascii=False).encode()


@cache
def _runbooks_body() -> bytes:
    return asset(PACKAGE, "runbooks.html").encode()


@cache
def _file_body(name: str) -> bytes:
    return asset(PACKAGE, name).encode()


def _page_headers() -> dict[str, str]:
    headers = security_headers(script="'self'", style="'self'", connect="'self'")
    headers["Content-Security-Policy"] += f"; {TRUSTED}"
    return {**headers, "Cache-Control": "no-store"}


async def _aside(work: Callable[[], bytes]) -> bytes:
    """Do it off the loop, which health checks and requests share."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


_READ = ("GET", "HEAD")
for _path, _handler in (("/", show), ("/runbooks", runbooks)):
    console.add_route(_handler, _path, methods=_READ)
for _path, _is_open in (("/console.json", False), ("/console-details.json", True)):
    console.add_route(partial(refresh, is_open=_is_open), _path, _READ, name=f"open_{_is_open}")
for _name in FILES:
    _label = _name.replace(".", "_")
    console.add_route(partial(show_file, name=_name), f"/{_name}", _READ, name=_label)
