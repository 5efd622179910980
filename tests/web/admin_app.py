"""The admin app in this process, with a reloader that answers as a test says."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sanic import Sanic

from offloader.service.actions import Action, Result
from offloader.service.reloader.action_server import ActionServer
from offloader.web import admin as admin_routes
from offloader.web.apps import AnyRequest
from offloader.web.console.routes import console
from offloader.web.probes import ProbeProtocol
from offloader.web.reply import MAX_HEADER_BYTES
from tests.http_replies import Reply, ask
from tests.service.seen import Seen, seen

TOKEN = "test-admin-token"
FINGERPRINT = hashlib.sha256(TOKEN.encode()).hexdigest()[:12]
DONE = Result("done", "as wished", from_snapshot="s1", to_snapshot="s2", generation=7)


@dataclass(slots=True, eq=False)
class AdminApp:
    """Where the app answers, what its reloader was asked, and what that answers.

    `answer` None lets actions wait; `held` are their futures.
    """

    made: Seen
    worker: SimpleNamespace
    address: tuple[str, int] = ("", 0)
    answer: Result | None = DONE
    asked: list[Action] = field(default_factory=list)
    held: list[Future[Result]] = field(default_factory=list)

    def submit(self, action: Action) -> Future[Result]:
        """Take an action in the reloader's place."""
        future: Future[Result] = Future()
        self.held.append(future)
        self.asked.append(action)  # last: a test waits for it, and then answers what is held
        if self.answer is not None:
            future.set_result(self.answer)
        return future

    def ask(
        self,
        target: str,
        body: bytes = b"",
        method: str = "POST",
        *,
        token: str | None = TOKEN,
        **headers: str,
    ) -> Reply:
        """Send one request with the admin token; JSON, unless a header says otherwise."""
        sent = {"content_type": "application/json", **headers} if body else dict(headers)
        sent |= {} if token is None else {"authorization": f"Bearer {token}"}
        named = {name.replace("_", "-"): text for name, text in sent.items()}
        return ask(self.address, target, named, method, body)


@contextmanager
def admin_app(*, token: str | None = TOKEN, has_reloader: bool = True) -> Iterator[AdminApp]:
    """Serve the admin app on a port of the kernel's choice until the block ends."""
    made = seen()
    attachment = SimpleNamespace(
        generation=lambda: made.view.generation, control=made.control, slots=made.slots
    )
    address = f"offloader-test-{secrets.token_hex(8)}"
    settings = SimpleNamespace(admin_token=token)
    worker = SimpleNamespace(
        settings=settings, attachment=attachment, address=address, is_draining=False
    )
    running = AdminApp(made, worker)
    server = ActionServer(address, running.submit)
    if has_reloader:
        server.start()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running.address = asyncio.run_coroutine_threadsafe(_listen(worker), loop).result()
    try:
        yield running
    finally:
        server.close()
        for future in running.held:
            future.cancel()
        asyncio.run_coroutine_threadsafe(_rest(loop), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _rest(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left, such as a browser's connections, while there is a loop to end it in."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()


async def _listen(worker: SimpleNamespace) -> tuple[str, int]:
    app: Sanic[Any, Any] = Sanic(
        f"test-{secrets.token_hex(8)}", configure_logging=False, request_class=AnyRequest
    )
    # Sanic keeps this limit once for all apps of a process: the others here have the service's.
    app.config.REQUEST_MAX_HEADER_SIZE = MAX_HEADER_BYTES
    app.config.TOUCHUP = False  # it changes the server's code, and works once in a process
    app.ctx.worker = worker
    app.blueprint(admin_routes.admin)
    app.blueprint(console)
    app.error_handler.add(Exception, admin_routes.refuse)
    bound = socket.create_server(("127.0.0.1", 0))
    server = await app.create_server(
        sock=bound, return_asyncio_server=True, access_log=False, protocol=ProbeProtocol
    )
    assert server is not None
    await server.startup()  # type: ignore[no-untyped-call]
    await server.start_serving()  # type: ignore[no-untyped-call]
    return "127.0.0.1", int(bound.getsockname()[1])
