"""Kill a worker, the reloader or the builder, again and again, while swaps go on under load."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event
from typing import Literal

from dev.faults.holdings import Holdings, holdings, leaks
from dev.faults.loading import CONNECTIONS, LoadProcess, Seen, loading
from dev.faults.operator import Operator
from dev.faults.outcome import Bound, Outcome, at_most, none_of
from dev.faults.processes import is_alive, owners
from dev.faults.project import write
from dev.faults.publisher import Publisher
from tests.service_process import Running, running

Role = Literal["worker", "reloader", "builder"]
BACK_SECONDS = 5.0
BUILDER = "offloader.service.builder.process"
ROWS = 2000
# What dies right after its start is kept waiting, and ends the service in the end: as it should.
_PACE_SECONDS = 2.0
_GIVE_UP_SECONDS = 60.0
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to kill, and how soon all must be back; `seed` decides whom and when."""

    kills: int = 200
    workers: int = 2
    seed: int = 1
    pace_seconds: float = _PACE_SECONDS
    bound_seconds: float = BACK_SECONDS
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Victim:
    """Whom to kill next."""

    role: Role
    worker: int = 0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: the seconds until full strength, and the connections that broke.

    `foreign` are those among them that the killed process did not hold.
    """

    role: Role
    back_seconds: float
    held: int
    broken: int
    foreign: int


def kill_anything(folder: Path, plan: Plan) -> Outcome:
    """Kill as planned, and tell what came back and what broke."""
    (source,) = write(folder / "project", {"usage": {}}, rows=ROWS).values()
    cache = folder / "cache"
    with (
        running(source.root, cache, workers=str(plan.workers)) as service,
        loading(service.api, source, plan.connections) as load,
    ):
        publisher = Publisher(service, load, source)
        publisher.publish_next()
        publisher.publish_next()
        before = _holdings_at_rest(service, cache)
        load.ask()
        with publisher.publishing():
            kills = list(_kill_all(service, load, plan))
        publisher.publish_next()
        load.rest()
        seen = load.seen()
        lost = _leaks_at_rest(service, cache, before)
    return _outcome(plan, kills, seen, publisher.number - 1, lost)


def _kill_all(service: Running, load: LoadProcess, plan: Plan) -> Iterator[Kill]:
    chance = random.Random(plan.seed)
    operator = Operator(service)
    victims: list[Victim] = []
    for number in range(plan.kills):
        due = time.monotonic() + plan.pace_seconds
        if not victims:
            workers = [Victim("worker", worker) for worker in range(plan.workers)]
            victims = [*workers, Victim("reloader"), Victim("builder")]
            chance.shuffle(victims)
        if number % 4 == 3:
            load.renew(2)  # else they would all end up at the worker that was not killed last
        yield _kill_one(service, load, operator, victims.pop(), chance)
        Event().wait(max(0.0, due - time.monotonic()))


def _kill_one(
    service: Running, load: LoadProcess, operator: Operator, victim: Victim, chance: random.Random
) -> Kill:
    held = _await_settled(service, load, operator)
    seen_before = len(load.breaks)
    Event().wait(chance.uniform(0.0, 0.5))
    pid = _kill(service, operator, victim, chance)
    began = time.monotonic()
    service.wait(lambda: _is_strong(service, operator, pid), _GIVE_UP_SECONDS)
    seconds = time.monotonic() - began
    load.seen()  # every connection that broke is told by now
    broken = [line["broken"] for line in load.breaks[seen_before:]]
    foreign = [port for port in broken if held.get(port) != pid]
    return Kill(victim.role, seconds, list(held.values()).count(pid), len(broken), len(foreign))


def _await_settled(service: Running, load: LoadProcess, operator: Operator) -> dict[int, int]:
    """Wait until every connection is answered; return which worker holds it."""
    found: dict[int, int] = {}

    def is_settled() -> bool:
        seen = load.seen()
        told = operator.find_diagnostics()
        if told is None or set(seen.open) != set(seen.proven):
            return False
        pids = [int(worker["pid"]) for worker in told["processes"]["workers"]]
        found.clear()
        found.update(owners(seen.open, service.api[1], pids))
        return set(found) == set(seen.open)

    service.wait(is_settled, _GIVE_UP_SECONDS)
    return found


def _kill(service: Running, operator: Operator, victim: Victim, chance: random.Random) -> int:
    """Kill a process and return its pid."""
    if victim.role == "builder":
        return _kill_builder(service, chance)
    told = operator.diagnostics()["processes"]
    of_worker = [int(worker["pid"]) for worker in told["workers"]]
    is_worker = victim.role == "worker"
    pid = of_worker[victim.worker] if is_worker else int(told["reloader"]["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def _kill_builder(service: Running, chance: random.Random) -> int:
    """Kill a builder somewhere in its work; those that were faster are let go."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        for pid in service.pids_of(BUILDER):
            Event().wait(chance.uniform(0.0, 0.4))
            with suppress(ProcessLookupError):
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
                    return pid
        Event().wait(0.005)
    raise TimeoutError("no build was under way")


def _is_strong(service: Running, operator: Operator, killed: int) -> bool:
    """Tell whether every worker serves and the reloader beats, without the killed process."""
    assert service.process.poll() is None, service.lines[-20:]
    told = operator.find_diagnostics()
    if told is None:
        return False
    processes = told["processes"]
    workers = [int(worker["pid"]) for worker in processes["workers"]]
    pids = [*workers, int(processes["reloader"]["pid"])]
    is_attached = processes["workers_attached"] == len(workers)
    return is_attached and killed not in pids and all(map(is_alive, pids))


def _holdings_at_rest(service: Running, cache: Path) -> Holdings:
    service.wait(lambda: service.is_complete() and not service.pids_of(BUILDER), _SETTLE_SECONDS)
    found: list[Holdings] = []

    def is_steady() -> bool:
        found.append(holdings(service, cache))
        return len(found) > 1 and found[-1] == found[-2]

    service.wait(is_steady, _SETTLE_SECONDS)
    return found[-1]


def _leaks_at_rest(service: Running, cache: Path, before: Holdings) -> list[str]:
    """Return what is still held when everything had time to be let go of."""
    found: list[list[str]] = []

    def is_clean() -> bool:
        found.append(leaks(before, holdings(service, cache)))
        return not found[-1]

    with suppress(AssertionError):
        service.wait(is_clean, _SETTLE_SECONDS)
    return found[-1]


def _outcome(plan: Plan, kills: list[Kill], seen: Seen, swaps: int, lost: list[str]) -> Outcome:
    seconds = [kill.back_seconds for kill in kills]
    of_workers = [kill for kill in kills if kill.role == "worker"]
    elsewhere = sum(kill.broken for kill in kills if kill.role != "worker")
    counts = {
        role: sum(1 for k in kills if k.role == role) for role in ("worker", "reloader", "builder")
    }
    return Outcome(
        f"kill anything, {plan.workers} workers",
        (
            Bound(f"{len(kills)} kills", len(kills) == plan.kills),
            at_most("back after at most", max(seconds), plan.bound_seconds, "s"),
            none_of("connections of others broken", sum(k.foreign for k in kills) + elsewhere),
            none_of("wrong answers", sum(seen.wrong.values())),
            none_of("leaks", len(lost)),
        ),
        (
            ", ".join(f"{count} {role}s" for role, count in counts.items()),
            *(
                f"{role} back in {median(times):.2f} s, at most {max(times):.2f} s"
                for role in counts
                if (times := [k.back_seconds for k in kills if k.role == role])
            ),
            f"{sum(k.broken for k in of_workers)} of {sum(k.held for k in of_workers)}"
            " connections of killed workers broken",
            f"{swaps} swaps",
            f"{seen.answers:,} answers",
        ),
        (*seen.samples, *lost),
    )
