"""Measure every work of every subject, in turns: one cell is a subject at a work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from dev.bench.serving.asking import Ask, asks_of
from dev.bench.serving.making import requests_of, rows_of, works_of
from dev.bench.serving.processes import pin
from dev.bench.serving.subjects import SUBJECTS, Run, Running, Subject
from dev.bench.serving.works import Work
from dev.bench.serving.wrk import Sample, load

_WARM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A subject at a work."""

    work: str
    subject: str


@dataclass(slots=True)
class Found:
    """What a run found: the samples of each cell in order; who was left out or broke, and why."""

    samples: dict[Cell, list[Sample]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def rate(self, work: str, subject: str) -> float | None:
        """Return the median of requests a second, None when it was not measured."""
        samples = self.samples.get(Cell(work, subject))
        return median(sample.rate for sample in samples) if samples else None


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores serve and which one asks; both are empty on a machine with one core."""

    serving: tuple[int, ...]
    asking: tuple[int, ...]


def cores_for(workers: int) -> Cores:
    """Give each worker a core and the load generator the last one, as far as there are."""
    known = sorted(os.sched_getaffinity(0))
    if len(known) < 2:
        return Cores((), ())
    if len(known) <= workers:
        return Cores(tuple(known), tuple(known))
    return Cores(tuple(known[:workers]), (known[-1],))


def start_all(
    stack: ExitStack, subjects: Sequence[str], run: Run, found: Found
) -> dict[str, Running]:
    """Start subjects with one worker until the stack closes, each pinned; note who was left out."""
    started = {}
    for name in subjects:
        try:
            running = stack.enter_context(SUBJECTS[name].start(run, 1))
        except OSError as error:
            found.skipped[name] = str(error)
            print(f"  {SUBJECTS[name].title} is skipped: {error}", flush=True)
            continue
        for pid in running.pinned:
            pin(pid, cores_for(1).serving)
        started[name] = running
    return started


def measure(
    run: Run,
    started: Mapping[str, Running],
    found: Found,
    *,
    works: Sequence[str],
    rounds: int,
    seconds: float,
) -> None:
    """Fill in `found`. Every subject of a work takes its turn in each round.

    What a subject answers with an error is noted in `found.broken`, and has no sample.
    """
    asking = cores_for(1).asking

    def ask(work: Work, subject: Subject, for_seconds: float) -> Sample | None:
        running = started[subject.name]
        try:
            return load(
                running.address,
                requests_of(run, work, subject),
                for_seconds,
                roots=running.roots,
                cores=asking,
                connections=work.connections,
            )
        except RuntimeError as error:
            print(f"  {subject.title} broke at {work.name}: {error}", flush=True)
            found.broken[f"{subject.name} at {work.name}"] = str(error)
            return None

    cells = list(_cells(run, started, works))
    if rounds > 1:  # one round is a look, which is not worth warming up for
        cells = [cell for cell in cells if ask(*cell, _WARM_SECONDS)]
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", flush=True)
        for work, subject in cells:
            sample = ask(work, subject, seconds)
            if sample is not None:
                found.samples.setdefault(Cell(work.name, subject.name), []).append(sample)


def check_alike(run: Run, started: Mapping[str, Running]) -> None:
    """Raise RuntimeError unless the peers answer the service's rows."""
    ours = started["offloader"].address
    for work in works_of(run):
        for ask in asks_of(work.question, run.snapshots, 3):
            expected = rows_of(ours, work.question, ask)
            for name in ("duckdb", "postgres"):
                if name in started and work.name in SUBJECTS[name].works:
                    given = rows_of(started[name].address, work.question, ask)
                    _compare(work, ask, name, expected, given)


def _cells(
    run: Run, started: Mapping[str, Running], works: Sequence[str]
) -> Iterator[tuple[Work, Subject]]:
    for work in works_of(run):
        for name in started:
            if work.name in SUBJECTS[name].works and (not works or work.name in works):
                yield work, SUBJECTS[name]


def _compare(work: Work, ask: Ask, name: str, expected: object, given: object) -> None:
    if _rounded(expected) != _rounded(given):
        raise RuntimeError(f"{name} answers {work.name} {ask} differently: {given} != {expected}")


def _rounded(value: object) -> object:
    """Return rows in which doubles have 12 digits: their sums depend on the order."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items() if name != "time_hour"}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
