"""Latency at half of the top rate, measured by requests that are due at fixed times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from dev.bench.rounds import in_process, in_turns
from dev.bench.serving.making import requests_of
from dev.bench.serving.measuring import Found, cores_for
from dev.bench.serving.paced import Paced
from dev.bench.serving.subjects import SUBJECTS, Run, Running
from dev.bench.serving.works import WORKS

MOST_RATE = 25_000.0  # what the generator can ask without being late itself
SUBJECTS_AT_HALF = ("offloader", "floor", "nginx")


@dataclass(frozen=True, slots=True)
class HalfLoad:
    """One subject at half of its top rate; microseconds, medians of the rounds."""

    asked_rate: float
    rate: float
    p50: float
    p99: float

    @property
    def ratio(self) -> float:
        """How many times the median the 99th percentile is."""
        return self.p99 / self.p50


def measure_half_load(
    run: Run, started: Mapping[str, Running], found: Found, rounds: int, seconds: float
) -> dict[str, HalfLoad]:
    """Ask each subject's look-up at half of what it answered before, in turns."""
    rates = {
        name: min(MOST_RATE, rate / 2)
        for name in SUBJECTS_AT_HALF
        if name in started and (rate := found.rate("lookup", name))
    }

    def asked(name: str) -> Paced:
        path = requests_of(run, WORKS["lookup"], SUBJECTS[name])
        return _paced(started[name].address, path, rates[name], seconds)

    runs = in_turns({name: partial(asked, name) for name in rates}, rounds)
    return {name: _middle(rates[name], samples) for name, samples in runs.items()}


def _paced(address: str, requests: Path, rate: float, seconds: float) -> Paced:
    arguments = [address, str(requests), "--rate", f"{rate:.0f}", "--seconds", f"{seconds:g}"]
    cores = ",".join(map(str, cores_for(1).asking))
    pinned = ["taskset", "-c", cores] if cores else []
    return Paced(**in_process("dev.bench.serving.paced", arguments, pinned))


def _middle(asked_rate: float, samples: Sequence[Paced]) -> HalfLoad:
    rate = median(sample.rate for sample in samples)
    p50, p99 = (median(values) for values in zip(*[(s.p50, s.p99) for s in samples], strict=True))
    return HalfLoad(asked_rate, rate, p50, p99)
