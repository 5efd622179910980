"""Serve: main under Sanic's worker manager, from bound sockets to the last exit.

bind ports → load cached segments → manage workers and reloader → watch → drain → stop
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from sanic import Sanic
from sanic.mixins import startup
from sanic.worker.loader import AppLoader

from offloader import __version__
from offloader.service import log
from offloader.service.banner import SHOWN_NAMES, Start, banner
from offloader.service.cache import Cache
from offloader.service.config.boot import Origin
from offloader.service.instance import claim, inherit
from offloader.service.main.memory import load_first_generation
from offloader.service.project import Project
from offloader.service.reloader.process import ReloaderSetup
from offloader.service.tracing import check_tracing
from offloader.settings.resources import memory_available
from offloader.settings.settings import Settings
from offloader.shared.attach import allow_many_descriptors
from offloader.shared.mailbox import make_mailboxes
from offloader.web.apps import ADMIN_NAME, Setup, app_called, make_apps
from offloader.web.hot_path import HotProtocol
from offloader.web.offspring import import_no_main, start_state_server
from offloader.web.ports import bind
from offloader.web.probes import ProbeProtocol
from offloader.web.signals import Signals
from offloader.web.spread import SpreadProtocol
from offloader.web.supervisor import Supervisor

BACKLOG = 1024
Address: TypeAlias = tuple[str, int]


def serve(
    settings: Settings,
    project: Project,
    signals: Signals,
    *,
    threads: int,
    origin: Origin | None = None,
) -> NoReturn:
    """Serve until a signal ends the process; `origin` is of a project in a bucket.

    Raises StartError (`traces_not_installed`, `port_in_use`, `port_not_allowed`,
    `cache_not_writable`, `cache_full`) before anything is loaded.
    """
    check_tracing(settings.traces)
    allow_many_descriptors()
    import_no_main()
    api_socket = bind("OFFLOADER_API_PORT", settings.api_host, settings.api_port)
    admin_socket = bind("OFFLOADER_ADMIN_PORT", settings.admin_host, settings.admin_port)
    cache = Cache(settings.cache_dir)
    cache.prepare()
    instance = claim(cache, socket.gethostname())  # held until this process ends
    inherit(cache, instance)
    available_bytes = partial(memory_available, Path("/"))
    memory = load_first_generation(settings, project, cache, instance.state, available_bytes)
    memory.server.start()
    address = memory.server.address
    setup = Setup(settings, address, make_mailboxes(settings.workers))
    reloader = ReloaderSetup(
        settings, project, address, instance.state, instance.number, threads, origin
    )
    loader = AppLoader(factory=partial(make_apps, setup))
    api = loader.load()
    shared: dict[str, Any] = {"workers": settings.workers, "backlog": BACKLOG, "motd": False}
    # The hot path makes no spans.
    is_hot = settings.hot_path and settings.traces == "off"
    protocol = HotProtocol if is_hot else SpreadProtocol
    api.prepare(sock=api_socket, protocol=protocol, **shared)
    api.state.server_info[0].settings["connections"] = set()  # the server's own, as others see it
    app_called(ADMIN_NAME).prepare(sock=admin_socket, protocol=ProbeProtocol, **shared)
    supervisor = Supervisor(settings, memory, reloader, signals, (api_socket, admin_socket))
    api.register_listener(supervisor.start, "main_process_ready")
    served = memory.server.committed_document()["snapshots"]
    _tell(settings, project, (_address(api_socket), _address(admin_socket)), served)
    # Sanic's own outlives a main that is killed.
    startup.Manager = start_state_server  # type: ignore[attr-defined]
    reason = "the worker manager ended"
    try:
        Sanic.serve(primary=api, app_loader=loader)
    except BaseException as error:
        reason = f"{reason}: {error!r}"
    supervisor.give_up(reason)  # unless that was the stop itself
    supervisor.wait_for_the_end()


def _tell(
    settings: Settings,
    project: Project,
    addresses: tuple[Address, Address],
    served: Collection[str],
) -> None:
    """Say what starts: on a terminal a few lines to read, else the same as one event."""
    (api, admin), catalog = addresses, project.catalog
    start = Start(catalog, api, admin, settings.workers, served)
    log.starting(
        banner(start),
        version=__version__,
        api=_shown(api),
        admin=_shown(admin),
        workers=settings.workers,
        datasets=len(catalog.datasets),
        endpoints=len(catalog.endpoints),
        revision=catalog.revision,
        loading=start.loading[:SHOWN_NAMES],
        loading_count=len(start.loading),
        example=start.example,
    )


def _address(bound: socket.socket) -> Address:
    host, port = bound.getsockname()[:2]
    return str(host), int(port)


def _shown(address: Address) -> str:
    return "{}:{}".format(*address)
