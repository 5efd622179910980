"""Serve: main under Sanic's worker manager, from bound sockets to the last exit.

bind ports → load cached segments → manage workers and reloader → watch → drain → stop
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sanic import Sanic
from sanic.mixins import startup
from sanic.worker.loader import AppLoader
from sanic.worker.manager import WorkerManager

from offloader.errors import StartError
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.instance import claim
from offloader.service.main.memory import MainMemory, load_first_generation
from offloader.service.main.watchdog import Watchdog, Watched
from offloader.service.project import Project
from offloader.service.reloader.process import RELOADER_NAME, ReloaderSetup, run_reloader
from offloader.settings.resources import memory_available
from offloader.settings.settings import Settings
from offloader.shared.control import Word
from offloader.shared.slots import Head
from offloader.web.apps import ADMIN_NAME, Setup, app_called, make_apps
from offloader.web.offspring import run_child, start_state_server
from offloader.web.worker import worker_number

BACKLOG = 1024
GAVE_UP_EXIT = 1
_SPARE_SECONDS = 5.0
RESERVE_BYTES = 64 << 20  # left to the processes when segments are loaded


def serve(settings: Settings, project: Project, *, threads: int) -> None:
    """Serve until a signal ends it.

    Raises StartError (`port_in_use`, `port_not_allowed`, `cache_not_writable`, `cache_full`)
    before anything is loaded.
    """
    api_socket = bind("OFFLOADER_API_PORT", settings.api_host, settings.api_port)
    admin_socket = bind("OFFLOADER_ADMIN_PORT", settings.admin_host, settings.admin_port)
    cache = Cache(settings.cache_dir)
    cache.prepare()
    instance = claim(cache, socket.gethostname())  # held until this process ends
    memory = load_first_generation(settings, project, cache, instance.state, _available_bytes)
    memory.server.start()
    address = memory.server.address
    setup = Setup(settings, address)
    reloader = ReloaderSetup(settings, project, address, instance.state, instance.number, threads)
    loader = AppLoader(factory=partial(make_apps, setup))
    api = loader.load()
    for app, bound in ((api, api_socket), (app_called(ADMIN_NAME), admin_socket)):
        app.prepare(sock=bound, workers=settings.workers, backlog=BACKLOG, motd=False)
    supervisor = Supervisor(settings, memory, reloader)
    api.register_listener(supervisor.start, "main_process_ready")
    log.event(
        "starting",
        api=_address(api_socket),
        admin=_address(admin_socket),
        workers=settings.workers,
        datasets=len(project.catalog.datasets),
        endpoints=len(project.catalog.endpoints),
    )
    # Sanic's own outlives a main that is killed.
    startup.Manager = start_state_server  # type: ignore[attr-defined]
    Sanic.serve(primary=api, app_loader=loader)
    log.event("stopped")


def _available_bytes() -> int:
    return max(0, memory_available(Path("/")) - RESERVE_BYTES)


def bind(variable: str, host: str, port: int) -> socket.socket:
    """Bind a port without listening yet; raises StartError that names the variable."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(0)  # a second instance is told here, not when it has loaded everything
    except OSError as error:
        bound.close()
        hint = f"stop what uses it, or set {variable} to another port"
        is_taken = error.errno == errno.EADDRINUSE
        code = "port_in_use" if is_taken else "port_not_allowed"
        message = f"port {port} on {host} cannot be used: {error.strerror}"
        raise StartError(code, message, hint) from error
    bound.set_inheritable(True)
    return bound


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{host}:{port}"


class Supervisor:
    """Main's own part beside the worker manager: the reloader, the watchdog, the signals."""

    def __init__(self, settings: Settings, memory: MainMemory, reloader: ReloaderSetup) -> None:
        self._settings = settings
        self._memory = memory
        self._reloader = reloader
        self._stopping = threading.Event()

    async def start(self, app: Sanic[Any, Any]) -> None:
        """Manage the reloader, then watch everything and take the signals over."""
        manager = app.manager
        arguments = {"parent": os.getpid(), "run": run_reloader, "setup": self._reloader}
        manager.manage(RELOADER_NAME, run_child, arguments, restartable=True)
        watchdog = Watchdog(self._watched(manager), self._restarter(manager), self._give_up)
        threading.Thread(
            target=watchdog.run, args=(self._stopping,), name="watchdog", daemon=True
        ).start()
        self._manager = manager
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _watched(self, manager: WorkerManager) -> list[Watched]:
        control, slots = self._memory.control, self._memory.slots
        on_restart = partial(control.add, Word.WORKER_RESTARTS)
        watched = [
            Watched(process, slots.head(worker_number(process.name)), on_restart)
            for process in manager.transient_processes
        ]
        reloader = next(iter(manager.durable_processes))
        on_restart = partial(control.add, Word.RELOADER_RESTARTS)
        return [*watched, Watched(reloader, slots.reloader(), on_restart, is_awaited=False)]

    def _restarter(self, manager: WorkerManager) -> Callable[[str], None]:
        return lambda name: manager.monitor_publisher.send(f"{name}:")

    def _give_up(self, reason: str) -> None:
        log.error("giving_up", reason=reason, hint="see the lines before this one")
        self._kill_all(GAVE_UP_EXIT)

    def _on_signal(self, number: int, _frame: object) -> None:
        """Drain, then have the worker manager stop; a second signal ends everything at once."""
        if self._stopping.is_set():
            self._kill_all(128 + number)
        self._stopping.set()
        is_interactive = number == signal.SIGINT
        threading.Thread(target=self._stop, args=(is_interactive, number), daemon=True).start()

    def _stop(self, is_interactive: bool, number: int) -> None:
        control, settings = self._memory.control, self._settings
        control[Word.IS_DRAINING] = 1
        if not self._has_started():
            self._kill_all(0)
        log.event("draining", seconds=0 if is_interactive else settings.drain_seconds)
        if not is_interactive:
            time.sleep(settings.drain_seconds)
        self._manager.shutdown_signal(number, None)  # type: ignore[no-untyped-call]
        time.sleep(settings.shutdown_seconds + _SPARE_SECONDS)
        log.error("stop_timeout", hint="requests were cut; see OFFLOADER_SHUTDOWN_SECONDS")
        self._kill_all(0)

    def _has_started(self) -> bool:
        """Tell whether every worker came up; before, the worker manager cannot be stopped."""
        slots = self._memory.slots
        return all(slots.head(number)[Head.HEARTBEAT_NS] for number in range(slots.workers))

    def _kill_all(self, code: int) -> None:
        for process in self._manager.processes:
            with suppress(ProcessLookupError, TypeError):
                os.kill(process.pid, signal.SIGKILL)
        os._exit(code)
