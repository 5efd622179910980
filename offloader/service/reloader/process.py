"""The reloader as a process: from what main gives it to its last signal."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from offloader.service import log
from offloader.service.builder.builders import Builders
from offloader.service.builder.describe import Describer
from offloader.service.builder.turns import Turns
from offloader.service.cache import Cache
from offloader.service.config.boot import Origin
from offloader.service.config.revisions import Revisions
from offloader.service.lookout import Lookout
from offloader.service.project import Project
from offloader.service.reloader.action_server import ActionServer
from offloader.service.reloader.config_source import source_of
from offloader.service.reloader.config_watch import ConfigWatch
from offloader.service.reloader.main_link import MainLink
from offloader.service.reloader.reloader import Reloader, Station
from offloader.service.reloader.sharing import sharing_of
from offloader.service.tracing import open_tracing
from offloader.settings.resources import memory_available
from offloader.settings.settings import Settings
from offloader.stores.access import Access
from offloader.stores.open import Stores

RELOADER_NAME = "Reloader"


@dataclass(frozen=True, slots=True)
class ReloaderSetup:
    """What the process is started with.

    `state` is the instance's state file, `threads` are for builds, `origin` is of a project in a
    bucket.
    """

    settings: Settings
    project: Project
    address: str
    state: Path
    instance: int
    threads: int
    origin: Origin | None = None


def run_reloader(setup: ReloaderSetup) -> None:
    """Run until a signal, or until main is gone. A build under way dies with the process."""
    settings = setup.settings
    log.configure_logging(settings.log_level, settings.log_format)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))  # at once, also while main loads a segment
    try:
        _run(setup)
    except (OSError, EOFError) as error:
        log.error("main_lost", reason=str(error))
    except Exception as error:
        log.broke("reloader_broke", error)
        os._exit(1)
    os._exit(0)  # looks and builds under way need not be waited for


def _run(setup: ReloaderSetup) -> None:
    settings = setup.settings
    cache = Cache(settings.cache_dir)
    cache.sweep(setup.project.catalog.datasets)
    origin = setup.origin
    revisions = Revisions(cache.root, origin.place) if origin is not None else None
    station = Station(
        setup.project,
        setup.state,
        settings.refresh_interval_seconds,
        is_config_watched=settings.config_sync_interval_seconds > 0,
        origin=origin.as_of_now(revisions) if origin is not None and revisions else None,
        threads=setup.threads,
        instance=setup.instance,
        sharing=sharing_of(settings, cache),
        tracing=open_tracing(settings.traces),
    )

    turns, limit_seconds = Turns(), settings.build_limit_seconds
    available_bytes = partial(memory_available, Path("/"))
    builders = Builders(turns, limit_seconds=limit_seconds, available_bytes=available_bytes)
    describer = Describer(limit_seconds=limit_seconds, available_bytes=available_bytes)
    lookout = Lookout(cache, Access.of(settings), describer)
    reloader = Reloader(station, MainLink(setup.address), builders.build, lookout, turns)
    source = source_of(setup.project, revisions, Stores(Access.of(settings)))
    watch = ConfigWatch(source, settings.config_sync_interval_seconds, reloader.take_config)

    signal.signal(signal.SIGHUP, lambda *_: reloader.check_all(watch.check_now))
    ActionServer(setup.address, reloader.submit).start()
    watch.start()
    reloader.run(Event())
