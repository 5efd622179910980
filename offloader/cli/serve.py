"""`offloader serve`: check settings, project and machine, then serve."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from offloader.catalog.documents import load_catalog
from offloader.errors import ConfigError, OffloaderError, Problem, StartError
from offloader.service.config.place import config_place
from offloader.settings.resources import cpu_count, memory_bytes
from offloader.settings.settings import Settings, read_settings
from offloader.stores.access import Access
from offloader.stores.location import Location

if TYPE_CHECKING:
    from offloader.web.signals import Signals

MAIN_BYTES = 128 << 20
WORKER_BYTES = 48 << 20


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments: it has none, the environment says everything."""
    return subparsers.add_parser(
        "serve",
        help="serve the project that OFFLOADER_CONFIG names",
        description="Serve the project that OFFLOADER_CONFIG names. All settings are environment"
        " variables; docs/config-reference.md lists them.",
    )


def run(args: Namespace) -> int:  # noqa: ARG001
    """Serve until a signal; return 0, or 2 with every problem when it cannot start."""
    root = Path("/")
    cpus = cpu_count(root, len(os.sched_getaffinity(0)))
    try:
        memory = memory_bytes(root)
        settings, warnings = read_settings(
            os.environ, is_terminal=sys.stderr.isatty(), cpus=cpus, memory_bytes=memory
        )
        _show(warnings)
        check_memory(settings, memory)
        _serve(settings, cpus)
    except ConfigError as error:
        _show(error.problems)
        print(f"not started: {error.message}", file=sys.stderr)
        return 2
    except OffloaderError as error:
        print(f"not started: {error}", file=sys.stderr)
        return 2
    return 0


def check_memory(settings: Settings, memory: int) -> None:
    """Raise StartError `memory_too_small` when the processes alone would not fit."""
    needed = MAIN_BYTES + settings.workers * WORKER_BYTES
    if memory < needed:
        raise StartError(
            "memory_too_small",
            f"{settings.workers} workers need {needed >> 20} MiB, {memory >> 20} MiB are allowed",
            "give the container more memory, or set OFFLOADER_WORKERS to fewer",
        )


def _serve(settings: Settings, cpus: int) -> None:
    # No process does linear algebra: threads for it only make every start slower and larger.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from offloader.web.signals import Signals

    signals = Signals()
    signals.take()
    place = config_place(settings.config)
    if place is not None:
        _serve_bucket(settings, place, signals, cpus)
    location = Path(settings.config).absolute()  # links stay: a mounted config swaps them
    catalog, documents = load_catalog(location)
    # Imported late: a wrong setting is told in a tenth of a second.
    from offloader.service import log
    from offloader.service.project import Project
    from offloader.web.serve import serve

    log.configure_logging(settings.log_level, settings.log_format)
    root = location if location.is_dir() else location.parent
    serve(settings, Project(root, documents, catalog), signals, threads=cpus)


def _serve_bucket(settings: Settings, place: Location, signals: Signals, cpus: int) -> NoReturn:
    """Fetch the project in a process of its own, while the server is imported; then serve it."""
    from offloader.service import log
    from offloader.service.cache import Cache
    from offloader.service.config.boot import Fetching

    log.configure_logging(settings.log_level, settings.log_format)
    cache = Cache(settings.cache_dir)
    cache.prepare()
    fetching = Fetching(place, Access.of(settings), cache)
    from offloader.web.serve import serve

    project, origin = fetching.project()
    serve(settings, project, signals, threads=cpus, origin=origin)


def _show(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
