"""Two workers against one: requests a second, and the processor time of a request.

With three cores or more the load generator has one of its own, and the figure is the ratio of the
rates at the look-up. With two, two workers share them with the generator, which takes about as
much of them as look-ups do. So there the figure is that of a work beside which the generator is
small: the ten largest accounts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from dev.bench.rounds import in_turns
from dev.bench.serving.making import requests_of
from dev.bench.serving.measuring import cores_for
from dev.bench.serving.processes import pin
from dev.bench.serving.subjects import SUBJECTS, Run, Running
from dev.bench.serving.works import WORKS
from dev.bench.serving.wrk import Sample, load

SCALED = (
    ("offloader", "lookup"),
    ("offloader", "top"),
    ("floor", "lookup"),
    ("nginx", "lookup"),
)


@dataclass(frozen=True, slots=True)
class Scaling:
    """One subject at one work with one and with two workers: rates, and processor time."""

    subject: str
    work: str
    rates: tuple[float, float]
    cpu_us: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times the rate of one worker two answered."""
        return self.rates[1] / self.rates[0]


def figure_work() -> str:
    """Return the work whose ratio is the figure on this machine."""
    return "lookup" if len(os.sched_getaffinity(0)) > 2 else "top"


def measure_scaling(run: Run, rounds: int, seconds: float) -> list[Scaling]:
    """Start every subject with one worker and with two, and ask them in turns."""
    with ExitStack() as stack:
        running: dict[tuple[str, int], Running] = {}
        for name in dict.fromkeys(subject for subject, _ in SCALED):
            try:
                for workers in (1, 2):
                    one = stack.enter_context(SUBJECTS[name].start(run, workers))
                    running[name, workers] = one
                    for pid in one.pinned:
                        pin(pid, cores_for(workers).serving)
            except OSError:
                continue  # the first part of the run said why

        def ask(name: str, work: str, workers: int, for_seconds: float = seconds) -> Sample:
            return load(
                running[name, workers].address,
                requests_of(run, WORKS[work], SUBJECTS[name]),
                for_seconds,
                roots=running[name, workers].roots,
                cores=cores_for(workers).asking,
            )

        asked = [(s, w, n) for s, w in SCALED for n in (1, 2) if (s, 2) in running]
        if rounds > 1:
            for key in asked:
                ask(*key, for_seconds=1)
        ways = {f"{s} {w} {n}": partial(ask, s, w, n) for s, w, n in asked}
        found = in_turns(ways, rounds)
    pairs = [pair for pair in SCALED if (pair[0], 2) in running]
    return [_scaling(s, w, found[f"{s} {w} 1"], found[f"{s} {w} 2"]) for s, w in pairs]


def _scaling(subject: str, work: str, one: Sequence[Sample], two: Sequence[Sample]) -> Scaling:
    rates = (median(s.rate for s in one), median(s.rate for s in two))
    cpu_us = (median(s.cpu_us for s in one), median(s.cpu_us for s in two))
    return Scaling(subject, work, rates, cpu_us)
