"""The reloader as a process: from what main gives it to its last signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from offloader.service import log
from offloader.service.builder.job import run_build
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader.action_server import ActionServer
from offloader.service.reloader.config_watch import ConfigWatch
from offloader.service.reloader.main_link import MainLink
from offloader.service.reloader.reloader import Reloader, Station
from offloader.settings.resources import memory_available
from offloader.settings.settings import Settings

RELOADER_NAME = "Reloader"


@dataclass(frozen=True, slots=True)
class ReloaderSetup:
    """What the process is started with.

    `state` is the instance's state file, `threads` are for builds.
    """

    settings: Settings
    project: Project
    address: str
    state: Path
    instance: int
    threads: int


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
        log.LOGGER.error("reloader_broke", exc_info=error)
        os._exit(1)
    os._exit(0)  # looks and builds under way need not be waited for


def _run(setup: ReloaderSetup) -> None:
    settings = setup.settings
    cache = Cache(settings.cache_dir)
    cache.sweep(setup.project.catalog.datasets)
    station = Station(
        setup.project,
        cache,
        setup.state,
        settings.refresh_interval_seconds,
        is_config_watched=settings.config_sync_interval_seconds > 0,
        threads=setup.threads,
        instance=setup.instance,
    )

    def build(job: Mapping[str, Any], on_standstill: Callable[[], None]) -> int:
        return run_build(
            job,
            limit_seconds=settings.build_limit_seconds,
            available_bytes=partial(memory_available, Path("/")),
            on_standstill=on_standstill,
        )

    reloader = Reloader(station, MainLink(setup.address), build)
    watch = ConfigWatch(
        setup.project.root, settings.config_sync_interval_seconds, reloader.take_config
    )

    signal.signal(signal.SIGHUP, lambda *_: reloader.check_all(watch.check_now))
    ActionServer(setup.address, reloader.submit).start()
    watch.start()
    reloader.run(Event())
