"""Revoke and grant a key while a build hangs, and see how soon every worker knows."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from threading import Event

from dev.faults.bad_snapshots import drafted
from dev.faults.held_file import held, why_not_held
from dev.faults.operator import Operator
from dev.faults.outcome import Bound, Outcome, at_most, none_of
from dev.faults.project import TENANT, TOKEN, Source, write
from tests.projects import key_document, write_yaml
from tests.service_process import Running, running

BOUND_SECONDS = 1.0
_GIVE_UP_SECONDS = 60.0
_POLL_SECONDS = 0.005
_NAME = "config change during a build"


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to change the config; the bound on time is None for a test."""

    changes: int = 40
    workers: int = 4
    bound_seconds: float | None = BOUND_SECONDS


def change_the_config(folder: Path, plan: Plan) -> Outcome:
    """Change one key again and again while another dataset's build waits for its file."""
    why_not = why_not_held(folder)
    if why_not:
        return Outcome(_NAME, skipped=why_not)
    sources = write(folder / "project", {"asked": {}, "slow": {}}, rows=200)
    settings = {"workers": str(plan.workers), "refresh_interval": "1000"}
    with running(sources["asked"].root, folder / "cache", **settings) as service:
        service.wait(service.is_complete)
        draft = drafted(sources["slow"])
        with held(draft.path) as file, _connections(service, plan.workers) as connections:
            draft.announce()
            service.process.send_signal(signal.SIGHUP)
            service.wait(file.is_wanted)
            seconds, others = _change_all(service, sources["asked"], connections, plan)
            slow = Operator(service).diagnostics()["datasets"]["slow"]
            is_building = slow["state"] in ("building", "refresh_failing")
    worst = max(seconds)
    bounds = [
        none_of("answers of a neither old nor new kind", others),
        Bound("the build hung all the time", is_building and slow["snapshot_id"] == "s00001"),
    ]
    if plan.bound_seconds is not None:
        bounds.append(at_most("on every worker in", worst, plan.bound_seconds, "s"))
    figures = (f"{plan.changes} changes", f"median {median(seconds):.2f} s, {plan.workers} workers")
    return Outcome(_NAME, tuple(bounds), figures)


def _change_all(
    service: Running, source: Source, connections: list[HTTPConnection], plan: Plan
) -> tuple[list[float], int]:
    """Revoke and allow the key by turns; return the seconds each took, and odd answers."""
    seconds, others = [], 0
    names = [target.rpartition("/")[2] for target in source.targets]
    key: Mapping[str, object] = key_document("faults", TOKEN, TENANT) | {"endpoints": names}
    for number in range(plan.changes):
        status, wanted = ("revoked", 401) if number % 2 == 0 else ("active", 200)
        write_yaml(source.root / "keys" / "keys.yml", {"keys": [{**key, "status": status}]})
        began = time.monotonic()
        service.process.send_signal(signal.SIGHUP)
        statuses: list[int] = []
        while statuses != [wanted] * len(connections):
            assert time.monotonic() < began + _GIVE_UP_SECONDS, (statuses, service.lines[-5:])
            statuses = [_status(one, source.targets[0]) for one in connections]
            others += sum(found not in (200, 401) for found in statuses)
            Event().wait(_POLL_SECONDS)
        seconds.append(time.monotonic() - began)
    return seconds, others


@contextmanager
def _connections(service: Running, workers: int) -> Iterator[list[HTTPConnection]]:
    """Give a keep-alive connection to every worker: each is made while the others stand still."""
    made = []
    for number in range(workers):
        with service.alone(number):
            connection = HTTPConnection(*service.api, timeout=_GIVE_UP_SECONDS)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            made.append(connection)
    try:
        yield made
    finally:
        for connection in made:
            connection.close()


def _status(connection: HTTPConnection, target: str) -> int:
    connection.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse()
    response.read()
    return response.status
