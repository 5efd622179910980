"""The subjects: the service in its ways, and every peer, each started over the same rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dev.bench.serving import nginx, postgres, roapi, sanic_duckdb
from dev.bench.serving.processes import answers, free_port, started
from dev.bench.usage_service import running as service_running

# What every peer can answer, and what only fixed bytes are compared with.
ALL = frozenset({"lookup", "total", "by_region", "top", "nested", "route", "carriers"})
FIXED = frozenset({"lookup", "nested"})


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run's files lie: the snapshots and what each subject made of them."""

    folder: Path
    tables: tuple[str, ...]

    @property
    def snapshots(self) -> Path:
        """The published snapshots and their sorted copies."""
        return self.folder / "snapshots"

    @property
    def project(self) -> Path:
        """The service's project."""
        return self.folder / "project"

    @property
    def bodies(self) -> Path:
        """One answer of the service for each endpoint, for those who send fixed bytes."""
        return self.folder / "bodies"


@dataclass(frozen=True, slots=True)
class Running:
    """A subject that answers; `roots` are its processes, `pinned` those with a core to keep to."""

    address: str
    roots: tuple[int, ...]
    pinned: tuple[int, ...]


Start = Callable[[Run, int], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to measure: what it is called, which works it can do, how it is started.

    `start` raises OSError when the subject's program is not there.
    """

    name: str
    title: str
    works: frozenset[str]
    start: Start
    is_roapi: bool = False


def _service(hot_path: str) -> Start:
    @contextmanager
    def start(run: Run, workers: int) -> Iterator[Running]:
        log = run.folder / f"service-{hot_path}-{workers}.log"
        settings = {"HOT_PATH": hot_path, "REFRESH_INTERVAL": "3600"}
        with service_running(run.project, run.folder / "cache", workers, settings, log) as service:
            service.worker_pids()
            yield Running(service.api, (service.process.pid,), (service.process.pid,))

    return start


def _sanic(module: str, source: Callable[[Run], Path]) -> Start:
    @contextmanager
    def start(run: Run, workers: int) -> Iterator[Running]:
        port = free_port()
        command = [sys.executable, "-m", f"dev.bench.serving.{module}", "--port", str(port)]
        command += ["--workers", str(workers), "--source", str(source(run))]
        command += ["--tables", *run.tables]
        log = run.folder / f"{module}-{workers}.log"
        with started(command, log, lambda: answers(port)) as process:
            yield Running(f"127.0.0.1:{port}", (process.pid,), (process.pid,))

    return start


@contextmanager
def _nginx(run: Run, workers: int) -> Iterator[Running]:
    with nginx.running(run.folder / f"nginx-{workers}", run.bodies, workers) as (address, pid):
        yield Running(address, (pid,), (pid,))


@contextmanager
def _duckdb(run: Run, workers: int) -> Iterator[Running]:
    database = run.folder / "tables.duckdb"
    if not database.exists():
        sanic_duckdb.build(database, run.snapshots, run.tables)
    with _sanic("sanic_duckdb", lambda _: database)(run, workers) as peer:
        yield peer


@contextmanager
def _postgres(run: Run, workers: int) -> Iterator[Running]:
    if find_spec("asyncpg") is None:
        raise OSError("asyncpg is not installed")
    folder = run.folder / "postgres"
    start = _sanic("sanic_postgres", lambda _: folder)
    with (
        postgres.running(folder, run.snapshots, run.tables) as pid,
        start(run, workers) as peer,
    ):
        yield Running(peer.address, (*peer.roots, pid), peer.pinned)


@contextmanager
def _roapi(run: Run, workers: int) -> Iterator[Running]:  # noqa: ARG001
    with roapi.running(run.folder / "roapi", run.snapshots, run.tables) as (address, pid):
        yield Running(address, (pid,), ())


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("offloader", "Offloader", ALL | {"not_modified", "cached"}, _service("on")),
        Subject("ordinary", "Offloader, hot path off", frozenset({"lookup"}), _service("off")),
        Subject(
            "floor",
            "Sanic, fixed bytes",
            FIXED,
            _sanic("sanic_floor", lambda run: run.bodies),
        ),
        Subject("nginx", "nginx, static file", FIXED, _nginx),
        Subject("postgres", "Sanic + PostgreSQL", ALL, _postgres),
        Subject("duckdb", "Sanic + DuckDB", ALL, _duckdb),
        Subject("roapi", "ROAPI", ALL - {"nested", "route", "carriers"}, _roapi, is_roapi=True),
    )
}
