"""A builder process is handed on to the next build that waits, and outlives none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.builder import builders as builders_module
from offloader.service.builder.builders import Builders
from offloader.service.builder.job import Builder
from offloader.service.builder.turns import Turns
from offloader.service.cache import Cache
from tests.projects import usage_project
from tests.service.building import job_of, wait_for

SECONDS = 60.0


class Started(Builder):
    """A builder that is remembered."""

    all: list[Started]

    def __init__(self) -> None:
        super().__init__()
        self.all.append(self)

    @property
    def is_over(self) -> bool:
        return self._process.returncode is not None


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Started]]:
    Started.all = []
    monkeypatch.setattr(builders_module, "Builder", Started)
    yield Started.all
    assert all(one.is_over for one in Started.all)


class Waiting:
    """A thread that takes a turn, waits until it is let go, and builds then."""

    def __init__(self, turns: Turns, builders: Builders, job: dict[str, object]) -> None:
        self.has_turn, self.may_build = Event(), Event()
        self.outcome: int | Exception | None = None
        self._turns, self._builders, self._job = turns, builders, job
        self.thread = Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        with self._turns.turn() as pass_on:
            self.has_turn.set()
            assert self.may_build.wait(SECONDS)
            try:
                self.outcome = self._builders.build(self._job, pass_on)
            except (SnapshotRefused, SourceUnavailable) as error:
                self.outcome = error

    def end(self) -> int | Exception | None:
        self.may_build.set()
        self.thread.join(SECONDS)
        return self.outcome


def made(turns: Turns, *, limit_seconds: float = 60.0) -> Builders:
    return Builders(turns, limit_seconds=limit_seconds, available_bytes=lambda: sys.maxsize)


def jobs(folder: Path, count: int) -> list[dict[str, object]]:
    """Return jobs of as many projects, each with a cache of its own."""
    found = []
    for number in range(count):
        root = usage_project(folder / f"project{number}", rows=3 + number).root
        cache = Cache(folder / f"cache{number}")
        cache.prepare()
        found.append(dict(job_of(root, cache)))
    return found


def test_who_waits_gets_the_process_of_the_one_before(
    tmp_path: Path, started: list[Started]
) -> None:
    """Three builds that wait for each other take one process, which ends with the last."""
    turns = Turns()
    builders = made(turns)
    all_jobs = jobs(tmp_path, 3)
    first = Waiting(turns, builders, all_jobs[0])
    assert first.has_turn.wait(SECONDS)
    others = [Waiting(turns, builders, job) for job in all_jobs[1:]]
    wait_for(lambda: turns._waiting == 2 or None)
    for other in others:  # whichever has its turn first
        other.may_build.set()
    outcomes = [first.end(), *(other.end() for other in others)]
    assert [isinstance(outcome, int) and outcome > 0 for outcome in outcomes] == [True] * 3
    assert len(started) == 1
    assert started[0].is_over


def test_nobody_waits_and_the_process_ends(tmp_path: Path, started: list[Started]) -> None:
    """Builds one after another have a process each."""
    turns = Turns()
    builders = made(turns)
    for job in jobs(tmp_path, 2):
        one = Waiting(turns, builders, job)
        assert isinstance(one.end(), int)
    assert len(started) == 2


def test_a_refusal_does_not_end_the_process(tmp_path: Path, started: list[Started]) -> None:
    """A snapshot that is refused says nothing of the next one."""
    turns = Turns()
    builders = made(turns)
    bad, good = jobs(tmp_path, 2)
    for path in (tmp_path / "project0").rglob("*.parquet"):
        path.write_bytes(b"no parquet")
    first = Waiting(turns, builders, bad)
    assert first.has_turn.wait(SECONDS)
    second = Waiting(turns, builders, good)
    wait_for(lambda: turns._waiting == 1 or None)
    assert isinstance(first.end(), SnapshotRefused)
    assert isinstance(second.end(), int)
    assert len(started) == 1


def test_a_killed_process_is_not_handed_on(tmp_path: Path, started: list[Started]) -> None:
    """The next build has a new one, and succeeds."""
    turns = Turns()
    builders = made(turns)
    broken: dict[str, object] = {"documents": 0}
    good = jobs(tmp_path, 1)[0]
    first = Waiting(turns, builders, broken)  # ends with a traceback
    assert first.has_turn.wait(SECONDS)
    second = Waiting(turns, builders, good)
    wait_for(lambda: turns._waiting == 1 or None)
    outcome = first.end()
    assert isinstance(outcome, SourceUnavailable)
    assert outcome.code == "builder_killed"
    assert isinstance(second.end(), int)
    assert len(started) == 2


def test_a_process_that_was_left_for_a_turn_not_used_ends(
    tmp_path: Path, started: list[Started]
) -> None:
    """Who waited finds out that nothing is to be built any more: nothing is left over."""
    turns = Turns()
    builders = made(turns)
    first = Waiting(turns, builders, jobs(tmp_path, 1)[0])
    assert first.has_turn.wait(SECONDS)

    def take_a_turn() -> None:
        with turns.turn():
            return

    idle = Thread(target=take_a_turn)
    idle.start()
    wait_for(lambda: turns._waiting == 1 or None)
    assert isinstance(first.end(), int)
    idle.join(SECONDS)
    assert started[0].is_over
