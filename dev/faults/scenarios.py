"""The scenarios by name, each in its long form and in a short one for every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from dev.faults import config, container, full_disk, kills, refusals, swaps
from dev.faults.outcome import Outcome

Scenario = Callable[[Path, int, bool], Iterable[Outcome]]


def _swaps(folder: Path, _seed: int, is_short: bool) -> Iterator[Outcome]:
    plans = [swaps.Plan(workers=2), swaps.Plan(workers=4)]
    if is_short:
        # How long anything takes is no matter for a test.
        plans = [swaps.Plan(workers=2, swaps=30, rounds=2, factor=None, rate=20.0)]
    for plan in plans:
        yield swaps.swap_under_load(_folder(folder, f"{plan.workers}"), plan)


def _kills(folder: Path, seed: int, is_short: bool) -> Iterator[Outcome]:
    plan = kills.Plan(seed=seed)
    if is_short:
        plan = kills.Plan(kills=6, seed=seed, pace_seconds=0.0, bound_seconds=30.0, connections=16)
    yield kills.kill_anything(folder, plan)


def _config(folder: Path, _seed: int, is_short: bool) -> Iterator[Outcome]:
    plan = config.Plan(4, workers=2, bound_seconds=None) if is_short else config.Plan()
    yield config.change_the_config(folder, plan)


def _container(folder: Path, seed: int, is_short: bool) -> Iterator[Outcome]:
    yield container.kill_the_container(folder, container.Plan(6 if is_short else 100, seed))


def _table(folder: Path, _seed: int, is_short: bool) -> Iterator[Outcome]:
    plan = refusals.Plan()
    if is_short:
        plan = refusals.Plan(window_seconds=2.0, delay_seconds=30.0)
    yield from refusals.refuse_bad_snapshots(_folder(folder, "rows"), plan)
    yield from full_disk.fill_the_disk(_folder(folder, "disk"), plan.window_seconds)


SCENARIOS: Mapping[str, Scenario] = {
    "swaps": _swaps,
    "kills": _kills,
    "container": _container,
    "config": _config,
    "table": _table,
}


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir(parents=True)
    return made
