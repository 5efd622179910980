"""Bad snapshots and failing builds: what is served goes on, and the cause is told.

Each row is tried on a dataset of its own of one service, which is asked all the time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from dev.faults.asker import Asker, asking
from dev.faults.bad_snapshots import BAD, ROWS, Row, drafted
from dev.faults.held_file import held, why_not_held
from dev.faults.kills import BUILDER
from dev.faults.outcome import Bound, Outcome, none_of
from dev.faults.project import Source, write
from dev.faults.signals import Told, builds, failures, has_failed, has_logged, told
from dev.faults.stock import stocked
from tests.service_process import Running, running, wait_until

GOOD = 3
ROW_COUNT = 200
BUILD_LIMIT_SECONDS = 5.0
_REFRESH = "0.5"
_TELL_SECONDS = 40.0
_MOST_BUILDS = {"refused": 1, "failed": 3}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each failure is watched for builds that are repeated in haste.

    Within `delay_seconds` another dataset must swap while the source of one is slow.
    """

    window_seconds: float = 10.0
    delay_seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What the rows are tried on."""

    service: Running
    sources: Mapping[str, Source]
    asker: Asker
    plan: Plan

    def outcome(self, row: str, dataset: str, found: Told, outcome: str, *more: Bound) -> Outcome:
        """Return the row's line, once the dataset is mended."""
        started = builds(self.service, dataset)
        most = _MOST_BUILDS[outcome]
        return Outcome(
            row,
            (
                Bound(found.code, not found.missing),
                none_of("wrong answers", self.asker.wrong[dataset]),
                Bound(f"{started} builds (bound {most})", started <= most),
                *more,
                Bound("mended", self._is_mended(dataset)),
            ),
            why=(*found.missing, *self.asker.samples),
        )

    def watch(self) -> None:
        """Let time pass in which a failure could be repeated."""
        Event().wait(self.plan.window_seconds)

    def _is_mended(self, dataset: str) -> bool:
        """Publish a good snapshot and tell whether it is served by itself."""
        source = self.sources[dataset]
        self.asker.allow(source, [*self.asker.allowed[dataset], GOOD])
        source.publish(GOOD)
        return self.is_served(dataset, GOOD, _TELL_SECONDS)

    def is_served(self, dataset: str, number: int, seconds: float) -> bool:
        """Tell whether a snapshot is served in time."""
        try:
            wait_until(lambda: self.asker.served.get(dataset) == number, seconds, lambda: "")
        except AssertionError:
            return False
        return True


def refuse_bad_snapshots(folder: Path, plan: Plan) -> Iterator[Outcome]:
    """Try every row, and yield a line for each."""
    why_not = why_not_held(folder)
    guards: dict[str, Mapping[str, Any]] = {row.dataset: {"guards": row.guards} for row in ROWS}
    others = ("overwritten", "slow", "quick", "killed", "down")
    with _trial(folder / "all", {**guards, **{name: {} for name in others}}, plan) as trial:
        yield from _refused(trial)
        for row, try_row in _HOLDING.items():
            yield Outcome(row, skipped=why_not) if why_not else try_row(trial, row)
        yield _down(trial)
    row = "builder hanging past its limit"
    if why_not:
        yield Outcome(row, skipped=why_not)
        return
    limit = {"build_limit_seconds": str(BUILD_LIMIT_SECONDS)}
    with _trial(folder / "limited", {"hanging": {}}, plan, **limit) as trial:
        yield _hanging(trial, row)


@contextmanager
def _trial(
    folder: Path, datasets: Mapping[str, Mapping[str, Any]], plan: Plan, **settings: str
) -> Iterator[Trial]:
    """Serve snapshot 1 of these datasets and ask for them while the block runs."""
    sources = write(folder / "project", datasets, rows=ROW_COUNT)
    cache, more = folder / "cache", {"refresh_interval": _REFRESH, **settings}
    with ExitStack() as stack:
        for source in sources.values():
            stack.enter_context(stocked(source, cache, [1]))
        service = stack.enter_context(running(folder / "project", cache, **more))
        service.wait(service.is_complete)
        asker = stack.enter_context(asking(service.api, sources))
        yield Trial(service, sources, asker, plan)


def _refused(trial: Trial) -> list[Outcome]:
    """Publish every bad snapshot; all of them are refused for good."""
    for row in ROWS:
        row.publish(trial.sources[row.dataset])
    for row in ROWS:
        _await_failure(trial, row.dataset, [row.code])
    trial.watch()
    found = [told(trial.service, row.dataset, [row.code], "refused") for row in ROWS]
    return [_refusal(trial, row, one) for row, one in zip(ROWS, found, strict=True)]


def _refusal(trial: Trial, row: Row, found: Told) -> Outcome:
    lines = len(failures(trial.service, row.dataset))
    return trial.outcome(
        row.name, row.dataset, found, "refused", Bound(f"{lines} log lines", lines == 1)
    )


def _overwritten(trial: Trial, row: str) -> Outcome:
    """Change a byte after the builder looked at the file and before it reads it."""
    draft = drafted(trial.sources["overwritten"])
    with held(draft.path) as file:
        draft.announce()
        trial.service.wait(file.is_wanted)
        file.flip()
    codes = ("file_changed", "file_checksum_differs")  # while it was read, and the next time
    _await_failure(trial, "overwritten", codes)
    trial.service.wait(lambda: has_logged(trial.service, "overwritten", codes[:1]))
    trial.watch()
    found = told(trial.service, "overwritten", codes, "failed")
    return trial.outcome(row, "overwritten", found, "failed")


def _slow(trial: Trial, row: str) -> Outcome:
    """Hold the file back: the dataset stays as it is, others go on, and then it swaps in."""
    draft, quick = drafted(trial.sources["slow"]), trial.sources["quick"]
    for name in ("slow", "quick"):
        trial.asker.allow(trial.sources[name], [1, BAD])
    with held(draft.path) as file:
        draft.announce()
        trial.service.wait(file.is_wanted)
        trial.watch()
        _await_failure(trial, "slow", ("source_slow",))
        found = told(trial.service, "slow", ("source_slow",), "failed")
        is_building = _holds(trial, lambda: _state(trial, "slow") == "building")
        began = trial.asker.answers
        quick.publish(BAD)
        is_quick = trial.is_served("quick", BAD, trial.plan.delay_seconds)
        is_old = trial.asker.served["slow"] == 1
    is_served = trial.is_served("slow", BAD, _TELL_SECONDS)
    return Outcome(
        row,
        (
            Bound(f"{found.code} {'; '.join(found.missing)}".strip(), not found.missing),
            Bound("state building", is_building),
            none_of("wrong answers", trial.asker.wrong["slow"] + trial.asker.wrong["quick"]),
            Bound(f"another dataset swaps within {trial.plan.delay_seconds:g} s", is_quick),
            Bound("served as before meanwhile", is_old and trial.asker.answers > began),
            Bound("swapped in when it came", is_served),
        ),
        why=tuple(trial.asker.samples),
    )


def _hanging(trial: Trial, row: str) -> Outcome:
    """Hold the file back for longer than a build may take."""
    draft = drafted(trial.sources["hanging"])
    trial.asker.allow(draft.source, [1, BAD])
    with held(draft.path):
        draft.announce()
        _await_failure(trial, "hanging", ["builder_timeout"])
        found = told(trial.service, "hanging", ["builder_timeout"], "failed")
    return trial.outcome(row, "hanging", found, "failed")


def _killed(trial: Trial, row: str) -> Outcome:
    """Kill the builder as the kernel does when memory runs out."""
    draft = drafted(trial.sources["killed"])
    trial.asker.allow(draft.source, [1, BAD])
    with held(draft.path) as file:
        draft.announce()
        trial.service.wait(file.is_wanted)
        for pid in trial.service.pids_of(BUILDER):
            os.kill(pid, signal.SIGKILL)
        _await_failure(trial, "killed", ["builder_killed"])
        found = told(trial.service, "killed", ["builder_killed"], "failed")
    return trial.outcome(row, "killed", found, "failed")


def _down(trial: Trial) -> Outcome:
    """Take the source's folder away."""
    folder = trial.sources["down"].manifest_path.parent
    away = folder.with_name("away")
    folder.rename(away)
    _await_failure(trial, "down", ["manifest_missing"])
    trial.watch()
    found = told(trial.service, "down", ["manifest_missing"], "failed")
    shown = trial.service.diagnostics()["datasets"]["down"]
    away.rename(folder)
    reach = Bound("source unreachable", shown["source_reachable"] is False)
    return trial.outcome("source down", "down", found, "failed", reach)


def _await_failure(trial: Trial, dataset: str, codes: Collection[str]) -> None:
    """Wait for a failure; one that does not come is told as what diagnostics say instead."""
    _holds(trial, lambda: has_failed(trial.service, dataset, codes))


def _holds(trial: Trial, condition: Callable[[], object]) -> bool:
    """Tell whether something becomes true in time."""
    try:
        trial.service.wait(condition, _TELL_SECONDS)
    except AssertionError:
        return False
    return True


def _state(trial: Trial, dataset: str) -> str:
    return str(trial.service.diagnostics()["datasets"][dataset]["state"])


_HOLDING: Mapping[str, Callable[[Trial, str], Outcome]] = {
    "file overwritten during load": _overwritten,
    "source slow": _slow,
    "builder killed for its memory": _killed,
}
