"""The two Sanic apps of a worker: one for each port, made of blueprints."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sanic import Request, Sanic
from sanic.compat import Header
from sanic.config import Config
from sanic.models.protocol_types import TransportProtocol
from sanic.server.protocols.http_protocol import HttpProtocol

from offloader.service import log
from offloader.service.action_packets import MAX_WAIT_SECONDS
from offloader.settings.settings import Settings
from offloader.shared.mailbox import Mailbox
from offloader.web import admin as admin_routes
from offloader.web import api as api_routes
from offloader.web.console.routes import console
from offloader.web.docs_site.routes import docs_site
from offloader.web.offspring import die_with
from offloader.web.ports import listen
from offloader.web.reply import MAX_HEADER_BYTES, MAX_REQUEST_BYTES
from offloader.web.signals import FINISH, admit
from offloader.web.spread import maker
from offloader.web.worker import Worker

App = Sanic[Config, SimpleNamespace]
API_NAME = "offloader-api"
ADMIN_NAME = "offloader-admin"
START_LOOK_SECONDS = 0.01
DRAIN_LOOK_SECONDS = 0.1
FINISH_SECONDS = 2.0
FINISH_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker process is started with: main's attach socket, and a mailbox each worker."""

    settings: Settings
    address: str
    mailboxes: tuple[Mailbox, ...] = ()


class AnyRequest(Request):
    """A request, or the stand-in for one that could not be read, which has no URL.

    Sanic gives the stand-in the URL that was refused, and is refused again, without an answer.
    """

    def __init__(
        self,
        url_bytes: bytes,
        headers: Header,
        version: str,
        method: str,
        transport: TransportProtocol,
        app: Any,
        head: bytes = b"",
    ) -> None:
        url = url_bytes if method != "NONE" else b"*"
        super().__init__(url, headers, version, method, transport, app, head)


def make_apps(setup: Setup) -> App:
    """Make both apps and return the primary, the API's. Runs in main and in every worker."""
    settings = setup.settings
    log.configure_logging(settings.log_level, settings.log_format)
    api = _app(API_NAME, settings)
    api.blueprint(api_routes.api)
    api.error_handler.add(Exception, api_routes.refuse)
    admin = _app(ADMIN_NAME, settings)
    admin.config.RESPONSE_TIMEOUT = int(MAX_WAIT_SECONDS) + 60  # an action may be waited for
    admin.blueprint(admin_routes.admin)
    admin.blueprint(docs_site)
    admin.blueprint(console)
    admin.error_handler.add(Exception, admin_routes.refuse)

    async def attach(_app: App) -> None:
        die_with(os.getppid())  # when that was main no more, there is nothing to attach to
        worker = Worker(settings, setup.address, setup.mailboxes)
        admin.ctx.worker = worker
        api_routes.equip(api.ctx, worker)
        api.ctx.spread = worker.spread
        await worker.attach()
        for app in (api, admin):  # in this order: who is told that it is ready is not refused
            listen(app.state.server_info[0].settings["sock"])

    async def begin(_app: App) -> None:
        served = api.state.server_info[0].settings
        api.ctx.spread.start(maker(api, served), served["connections"])
        api.ctx.worker.start_beating()
        api.ctx.end = asyncio.create_task(_await_end(api, admin))
        server = admin.state.server_info[0].server
        assert server is not None
        api.ctx.admin_connections = server.connections

    async def rest(_app: App) -> None:
        await _finish(api.ctx.admin_connections)
        api.ctx.end.cancel()
        api.ctx.worker.stop_beating()
        api.ctx.record.flush()
        log.flush()
        if api.ctx.spans is not None:
            api.ctx.spans.close()

    api.register_listener(attach, "before_server_start")
    api.register_listener(begin, "after_server_start")
    api.register_listener(rest, "after_server_stop")
    return api


async def _await_end(api: App, admin: App) -> None:
    """Finish when main says so; before, in the drain, have every answer close its connection."""
    while not api.state.is_running:  # the loop of the start is not the one to stop
        await asyncio.sleep(START_LOOK_SECONDS)
    asyncio.get_running_loop().add_signal_handler(FINISH, _stop, api, admin)
    admit(FINISH)
    while not api.ctx.worker.is_draining:
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
    _lose_callers(api, admin)


def _stop(api: App, admin: App) -> None:
    api.ctx.spread.stop()
    _lose_callers(api, admin)
    api.stop(terminate=False)


def _lose_callers(*apps: App) -> None:
    for app in apps:
        app.config.KEEP_ALIVE = False


async def _finish(connections: set[HttpProtocol]) -> None:
    """Wait for the admin port's requests: the server waits for those of the primary app only."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FINISH_SECONDS
    while connections and loop.time() < deadline:
        for connection in list(connections):
            connection.close_if_idle()
        await asyncio.sleep(FINISH_LOOK_SECONDS)


def _app(name: str, settings: Settings) -> App:
    app: App = Sanic(name, configure_logging=False, request_class=AnyRequest, strict_slashes=True)
    app.config.update(
        ACCESS_LOG=False,
        AUTO_EXTEND=False,
        FALLBACK_ERROR_FORMAT="json",
        GRACEFUL_SHUTDOWN_TIMEOUT=settings.shutdown_seconds,
        KEEP_ALIVE_TIMEOUT=120,
        MOTD=False,
        REQUEST_MAX_HEADER_SIZE=MAX_HEADER_BYTES,
        REQUEST_MAX_SIZE=MAX_REQUEST_BYTES,
        REQUEST_TIMEOUT=30,
    )
    return app


def app_called(name: str) -> App:
    """Return one of the apps of this process."""
    app: App = Sanic.get_app(name)
    return app
