"""Swap under load: snapshot after snapshot, while every connection asks at full rate.

Quiet stretches and stretches of swaps take turns, so that a slow moment of the machine hits both.
The snapshots are built ahead: what is measured is the swap, not the builder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event

from dev.faults.loading import CONNECTIONS, Figures, LoadProcess, Seen, loading
from dev.faults.operator import Operator
from dev.faults.outcome import Bound, Outcome, at_most, none_of
from dev.faults.project import snapshot_id, write
from dev.faults.stock import Stock, stocked
from tests.service_process import Running, running

P99_FACTOR = 1.5
ROWS = 200
_WARM_SECONDS = 2.0
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is swapped: `swaps` in `rounds` of equal size, at most `rate` a second.

    Without a `factor` nothing is said of latency.
    """

    workers: int
    swaps: int = 1000
    rounds: int = 10
    rate: float = 10.0
    factor: float | None = P99_FACTOR
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Round:
    """A stretch of swaps and the quiet one after it."""

    swapping: Figures
    quiet: Figures


def swap_under_load(folder: Path, plan: Plan) -> Outcome:
    """Swap as planned, and tell what every connection saw."""
    (source,) = write(folder / "project", {"usage": {}}, rows=ROWS).values()
    cache = folder / "cache"
    numbers = range(2, plan.swaps + 2)
    settings = {"workers": str(plan.workers), "refresh_interval": "600"}
    with (
        stocked(source, cache, numbers) as stock,
        running(source.root, cache, **settings) as service,
        loading(service.api, source, plan.connections) as load,
    ):
        service.wait(service.is_complete)
        load.expect((1, *numbers))
        load.ask()
        load.phase("warm up")
        Event().wait(_WARM_SECONDS)
        rounds = list(_rounds(service, load, stock, plan))
        load.rest()
        seen = load.seen()
        restarts = len(service.events("process_died"))
    return _outcome(plan, rounds, seen, load, restarts)


def _rounds(service: Running, load: LoadProcess, stock: Stock, plan: Plan) -> Iterator[Round]:
    operator = Operator(service)
    size = plan.swaps // plan.rounds
    for first in range(2, plan.swaps + 2, size):
        load.phase("swapping")
        began = time.monotonic()
        for number in range(first, min(first + size, plan.swaps + 2)):
            Event().wait(max(0.0, began + (number - first) / plan.rate - time.monotonic()))
            _swap(operator, stock, number)
        seconds = time.monotonic() - began
        swapping = load.phase("quiet")
        Event().wait(seconds)
        yield Round(swapping, load.phase("between"))


def _swap(operator: Operator, stock: Stock, number: int) -> None:
    stock.publish(number)
    answer = operator.act("refresh", stock.source.name)
    assert answer.get("to") == snapshot_id(number), answer


def _outcome(
    plan: Plan, rounds: list[Round], seen: Seen, load: LoadProcess, restarts: int
) -> Outcome:
    quiet = median(one.quiet.p99_ms for one in rounds)
    swapping = median(one.swapping.p99_ms for one in rounds)
    seconds = sum(one.swapping.seconds for one in rounds)
    backwards = seen.wrong.get("backwards", 0)
    mixed = sum(seen.wrong.get(kind, 0) for kind in ("mixed", "unknown body", "etag"))
    failed = sum(seen.wrong.values()) - backwards - mixed
    latency = f"p99 {swapping:.1f} ms with swaps, {quiet:.1f} ms without"
    ratio = swapping / quiet if quiet else 0.0
    bounds = [
        Bound(f"{plan.swaps} swaps", seen.newest == plan.swaps + 1),
        none_of("failed", failed),
        none_of("closed", seen.broken),
        none_of("mixed", mixed),
        none_of("backwards", backwards),
        none_of("restarts", restarts),
    ]
    if plan.factor is not None:
        bounds.append(at_most("p99 ratio", ratio, plan.factor, "x"))
    return Outcome(
        f"swap under load, {plan.workers} workers",
        tuple(bounds),
        (
            latency,
            f"p50 {median(one.swapping.p50_ms for one in rounds):.1f} ms"
            f" and {median(one.quiet.p50_ms for one in rounds):.1f} ms",
            f"{_rate([r.swapping for r in rounds]):,.0f} requests/s with swaps,"
            f" {_rate([r.quiet for r in rounds]):,.0f} without",
            f"{plan.swaps / seconds:.1f} swaps/s",
            f"{seen.answers:,} answers",
        ),
        (*seen.samples, *(str(line) for line in load.breaks[:5])),
    )


def _rate(figures: list[Figures]) -> float:
    return sum(one.requests for one in figures) / sum(one.seconds for one in figures)
