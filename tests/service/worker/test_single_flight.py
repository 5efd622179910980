"""Rules of single-flight: equal requests run once, and no caller's end is another's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from offloader.service.worker.single_flight import SingleFlight


class Runs:
    """Runs that end when a test says so, and how often each was started."""

    def __init__(self, most_runs: int = 2, most_waiting: int = 100) -> None:
        self.flight: SingleFlight[bytes] = SingleFlight(most_runs, most_waiting, Busy)
        self.started: list[str] = []
        self.running: dict[str, asyncio.Future[bytes]] = {}

    def ask(self, key: str) -> asyncio.Task[tuple[bytes, bool]]:
        """Ask as one caller does."""
        return asyncio.get_running_loop().create_task(self.flight.run(key, lambda: self._go(key)))

    def _go(self, key: str) -> asyncio.Future[bytes]:
        self.started.append(key)
        self.running[key] = asyncio.get_running_loop().create_future()
        return self.running[key]


class Busy(Exception):
    """Too much at once."""


async def settle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run one test on a loop of its own; what was not looked at fails it."""
    problems: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: problems.append(told))
        await test
        await settle()

    asyncio.run(watched())
    assert problems == []


def test_equal_requests_are_run_once_and_all_get_the_result() -> None:
    """Only the first is told that it started the run; a later one runs anew."""

    async def test() -> None:
        runs = Runs()
        asked = [runs.ask("a") for _ in range(5)]
        await settle()
        assert (runs.started, runs.flight.waiting, len(runs.flight)) == (["a"], 5, 1)
        runs.running["a"].set_result(b"body")
        assert await asyncio.gather(*asked) == [(b"body", True), *[(b"body", False)] * 4]
        assert (runs.flight.waiting, len(runs.flight)) == (0, 0)
        again = runs.ask("a")
        await settle()
        runs.running["a"].set_result(b"newer")
        assert await again == (b"newer", True)
        assert runs.started == ["a", "a"]

    run(test())


def test_different_requests_run_beside_each_other() -> None:
    """Each gets its own result."""

    async def test() -> None:
        runs = Runs()
        one, other = runs.ask("a"), runs.ask("b")
        await settle()
        runs.running["b"].set_result(b"b")
        assert await other == (b"b", True)
        runs.running["a"].set_result(b"a")
        assert await one == (b"a", True)

    run(test())


def test_an_error_goes_to_all_who_wait() -> None:
    """And the next request tries again."""

    async def test() -> None:
        runs = Runs()
        asked = [runs.ask("a") for _ in range(3)]
        await settle()
        runs.running["a"].set_exception(MemoryError("none left"))
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [repr(error) for error in told] == ["MemoryError('none left')"] * 3
        assert (runs.flight.waiting, len(runs.flight)) == (0, 0)
        asked = [runs.ask("a")]
        await settle()
        assert runs.started == ["a", "a"]
        runs.running["a"].set_result(b"")
        await asked[0]

    run(test())


@pytest.mark.parametrize("gone", [0, 1])
def test_a_caller_that_goes_away_takes_nobody_along(gone: int) -> None:
    """Not even the one that started the run."""

    async def test() -> None:
        runs = Runs()
        asked = [runs.ask("a") for _ in range(2)]
        await settle()
        asked[gone].cancel()
        await settle()
        assert asked[gone].cancelled()
        assert (runs.flight.waiting, len(runs.flight)) == (1, 1)
        runs.running["a"].set_result(b"body")
        assert (await asked[1 - gone])[0] == b"body"

    run(test())


def test_a_run_that_nobody_waits_for_ends_in_silence() -> None:
    """It counts as a run until it has, and its error is nobody's."""

    async def test() -> None:
        runs = Runs(most_runs=1)
        asked = runs.ask("a")
        await settle()
        asked.cancel()
        await settle()
        with pytest.raises(Busy):
            await runs.ask("b")
        runs.running["a"].set_exception(OSError("late"))
        await settle()
        assert (runs.flight.waiting, len(runs.flight)) == (0, 0)

    run(test())


def test_the_bound_of_runs_counts_runs() -> None:
    """Equal requests are let in beside a full queue; others are shed."""

    async def test() -> None:
        runs = Runs(most_runs=2)
        asked = [runs.ask(key) for key in ("a", "b", "a", "b", "a")]
        await settle()
        with pytest.raises(Busy):
            await runs.ask("c")
        assert runs.started == ["a", "b"]
        for key in ("a", "b"):
            runs.running[key].set_result(key.encode())
        told = await asyncio.gather(*asked)
        assert [body for body, _ in told] == [b"a", b"b", b"a", b"b", b"a"]

    run(test())


def test_who_waits_is_bounded_as_well() -> None:
    """Beyond it equal requests are shed, too, and nothing is started for them."""

    async def test() -> None:
        runs = Runs(most_waiting=3)
        asked = [runs.ask("a") for _ in range(3)]
        await settle()
        for key in ("a", "b"):
            with pytest.raises(Busy):
                await runs.ask(key)
        asked[0].cancel()
        await settle()
        asked[0] = runs.ask("a")
        await settle()
        runs.running["a"].set_result(b"body")
        assert [body for body, _ in await asyncio.gather(*asked)] == [b"body"] * 3
        assert runs.started == ["a"]

    run(test())


def test_what_cannot_be_started_is_not_waited_for() -> None:
    """The error is the caller's own, and the next one tries again."""

    async def test() -> None:
        runs = Runs()

        def broken() -> asyncio.Future[bytes]:
            raise RuntimeError("cannot schedule new futures after shutdown")

        with pytest.raises(RuntimeError, match="after shutdown"):
            await runs.flight.run("a", broken)
        assert (runs.flight.waiting, len(runs.flight)) == (0, 0)

    run(test())


def test_a_run_that_is_cancelled_cancels_who_waits() -> None:
    """As happens when the process ends."""

    async def test() -> None:
        runs = Runs()
        asked = [runs.ask("a") for _ in range(2)]
        await settle()
        runs.running["a"].cancel()
        await settle()
        assert [task.cancelled() for task in asked] == [True, True]
        assert len(runs.flight) == 0

    run(test())
