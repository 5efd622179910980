"""Kill everything at once, as when a container is killed, at chosen moments of a swap.

What is kept in the cache must bring the next start up warm, on a snapshot that was committed, with
pins, rollbacks and quarantine as they were.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from dev.faults.holdings import TEMPORARY_GLOB
from dev.faults.marks import MARKED, mark_all, marks, served_by
from dev.faults.moments import PHASES, SPREAD_SECONDS, Phase, Watch, parts_in
from dev.faults.outcome import Bound, Outcome, none_of
from dev.faults.project import Source, snapshot_id, write
from tests.service_process import Running, marked, running

ROWS = 20_000
WORKERS = 2
_REACH_SECONDS = 10.0
_SWEEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How often to kill everything; `seed` decides when."""

    kills: int = 100
    seed: int = 1


@dataclass(slots=True)
class Tally:
    """What was seen: `wrong` says what must never be."""

    phases: Counter[Phase] = field(default_factory=Counter)
    ready_seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    damaged_parts: int = 0


@dataclass(slots=True)
class Known:
    """What must be true at the next start; `parts` were there before the newest was announced."""

    committed: set[int]
    saved: int
    newest: int
    parts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """What outlives every kill: project, cache, and what was marked in it."""

    sources: Mapping[str, Source]
    cache: Path
    marks: Mapping[str, Any]

    @property
    def usage(self) -> Source:
        """The dataset whose snapshots come one after the other."""
        return self.sources["usage"]


def kill_the_container(folder: Path, plan: Plan) -> Outcome:
    """Kill as planned, and tell how each next start came up."""
    chance = random.Random(plan.seed)
    sources = write(folder / "project", {name: {} for name in ("usage", *MARKED)}, rows=ROWS)
    cache = folder / "cache"
    run = Run(sources, cache, mark_all(sources, cache))
    tally, known = Tally(), Known({1}, 1, 1)
    phases = [PHASES[number % len(PHASES)] for number in range(plan.kills)]
    chance.shuffle(phases)
    for phase in phases:
        _start_and_kill(run, known, tally, phase, chance)
    began = time.monotonic()
    with _started(run) as service:
        _check_start(service, run, known, tally, began)
        service.wait(lambda: served_by(service, run.usage) == known.newest)
        left = _temporary_files_left(service, cache)
    return _outcome(plan, tally, left)


def _temporary_files_left(service: Running, cache: Path) -> list[str]:
    """Return the temporary files that are not removed in time; one in use goes soon."""
    with suppress(AssertionError):
        service.wait(lambda: not any(cache.rglob(TEMPORARY_GLOB)), _SWEEP_SECONDS)
    return [str(path.relative_to(cache)) for path in cache.rglob(TEMPORARY_GLOB)]


def _started(run: Run) -> AbstractContextManager[Running]:
    return running(run.usage.root, run.cache, until="started", workers=str(WORKERS))


def _start_and_kill(
    run: Run, known: Known, tally: Tally, phase: Phase, chance: random.Random
) -> None:
    began = time.monotonic()
    with _started(run) as service:
        watch = Watch.of(service, run.cache, run.usage, known.newest, known.parts)
        if _check_start(service, run, known, tally, began) == known.newest:
            watch.close()
            known.newest += 1
            known.parts = parts_in(run.cache, run.usage)
            watch = Watch.of(service, run.cache, run.usage, known.newest, known.parts)
            run.usage.publish(known.newest)
        pids = marked(service.mark)  # now: looking for them takes longer than some phases do
        chance.shuffle(pids)
        watch.await_phase(phase, _REACH_SECONDS)
        _spin(chance.uniform(0.0, SPREAD_SECONDS[phase]))
        _kill_all(service, pids)
        tally.phases[watch.phase()] += 1
        if watch.is_committed():
            known.committed.add(known.newest)
        known.saved = watch.saved()
        if known.saved not in known.committed:
            tally.wrong.append(f"{known.saved} was saved and never committed")
        tally.damaged_parts += len(service.events("part_quarantined"))
        watch.close()


def _check_start(service: Running, run: Run, known: Known, tally: Tally, began: float) -> int:
    """Check that a start is warm, on what was saved and without a build of it.

    Return the snapshot that is served: a newer one that was announced may be by now.
    """
    service.wait(service.is_ready)
    tally.ready_seconds.append(time.monotonic() - began)
    built = [line["snapshot"] for line in service.events("build_started")]
    loaded = [line["datasets"] for line in service.events("segments_loaded")]
    served = served_by(service, run.usage)
    if loaded != [len(run.sources)]:
        tally.wrong.append(f"datasets loaded from the cache: {loaded}")
    if any(number != snapshot_id(known.newest) for number in built):
        tally.wrong.append(f"built again: {built}")
    if served not in (known.saved, known.newest):
        tally.wrong.append(f"served {served} after {known.saved} of {known.newest}")
    for name in MARKED:
        if (other := served_by(service, run.sources[name])) != 1:
            tally.wrong.append(f"{name} serves {other}")
    if marks(run.cache) != run.marks:
        tally.wrong.append(f"marks are {marks(run.cache)}")
    if served == known.newest != known.saved:
        service.wait(lambda: _has_swapped(service, known.newest))
        known.committed.add(served)
    return served


def _has_swapped(service: Running, number: int) -> bool:
    return any(line["snapshot"] == snapshot_id(number) for line in service.events("swapped"))


def _spin(seconds: float) -> None:
    """Wait exactly; a sleep may take longer than the phase does."""
    if seconds > 0.005:
        Event().wait(seconds)
        return
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def _kill_all(service: Running, pids: Iterable[int]) -> None:
    """End every process of a run at once; a builder that is not among them dies with these."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    service.process.wait()
    service.wait(lambda: not service.leftovers(), 5.0)


def _outcome(plan: Plan, tally: Tally, left: list[str]) -> Outcome:
    kills = sum(tally.phases.values())
    return Outcome(
        "kill the container",
        (
            Bound(f"{kills} kills", kills == plan.kills),
            none_of(
                "starts not warm, not on a committed snapshot, or without marks", len(tally.wrong)
            ),
            none_of("damaged parts", tally.damaged_parts),
            none_of("temporary files left", len(left)),
        ),
        (
            "hit " + ", ".join(f"{count} {phase}" for phase, count in tally.phases.most_common()),
            f"ready in {median(tally.ready_seconds):.2f} s,"
            f" at most {max(tally.ready_seconds):.2f} s",
        ),
        (*tally.wrong[:10], *left),
    )
