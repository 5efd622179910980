"""The reloader as a process: from what main gives it to its last signal."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from threading import Event

from offloader.service import log
from offloader.service.builder.job import run_build
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader.main_link import MainLink
from offloader.service.reloader.reloader import Reloader
from offloader.service.state import load_state
from offloader.settings.settings import Settings

RELOADER_NAME = "Reloader"


@dataclass(frozen=True, slots=True)
class ReloaderSetup:
    """What the process is started with; `threads` is for builds."""

    settings: Settings
    project: Project
    address: str
    threads: int


def run_reloader(setup: ReloaderSetup) -> None:
    """Run until a signal, or until main is gone. A build under way dies with the process."""
    settings = setup.settings
    log.configure_logging(settings.log_level, settings.log_format)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))  # at once, also while main loads a segment
    cache = Cache(settings.cache_dir)
    cache.sweep(setup.project.catalog.datasets)
    try:
        reloader = Reloader(
            setup.project,
            cache,
            MainLink(setup.address),
            load_state(cache),
            refresh_interval_seconds=settings.refresh_interval_seconds,
            threads=setup.threads,
            build=run_build,
        )
        reloader.run(Event())
    except (OSError, EOFError) as error:
        log.error("main_lost", reason=str(error))
    except Exception as error:
        log.LOGGER.error("reloader_broke", exc_info=error)
        os._exit(1)
    os._exit(0)  # looks and builds under way need not be waited for
