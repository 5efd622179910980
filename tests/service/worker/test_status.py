"""Readiness and status, from what a worker sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offloader.service.worker.status import is_stale, reasons_not_ready, status
from offloader.shared.control import Word
from tests.service.seen import NOW, Seen, seen


@pytest.fixture
def loaded() -> Seen:
    made = seen()
    made.beat(0)
    made.beat(1)
    return made


def test_an_instance_that_serves_has_no_reason(loaded: Seen) -> None:
    """Every dataset loaded, every worker attached."""
    assert reasons_not_ready(loaded.view) == []


def test_a_failed_refresh_never_makes_it_unready(loaded: Seen) -> None:
    """The snapshot that is served goes on; the state says so."""
    loaded.tell(usage={"is_ok": False, "is_building": False})
    assert reasons_not_ready(loaded.view) == []
    assert status(loaded.view, NOW)["datasets"]["usage"]["state"] == "refresh_failing"


@pytest.mark.parametrize(
    ("workers", "alive", "reasons"),
    [
        (1, 1, []),
        (1, 0, ["0 of 1 workers are attached"]),
        (2, 1, []),
        (3, 1, ["1 of 3 workers are attached"]),
        (3, 2, []),
        (4, 2, []),
        (5, 2, ["2 of 5 workers are attached"]),
    ],
)
def test_half_of_the_workers_are_enough(workers: int, alive: int, reasons: list[str]) -> None:
    """Rounded up; fewer make the instance unready."""
    made = seen(workers=workers)
    for worker in range(alive):
        made.beat(worker)
    assert reasons_not_ready(made.view) == reasons


def test_a_worker_that_is_silent_or_behind_does_not_count() -> None:
    """Five seconds without a heartbeat, or an older generation."""
    made = seen(workers=2)
    made.beat(0, seconds_ago=4.0)
    made.beat(1, seconds_ago=6.0)
    assert reasons_not_ready(made.view) == []
    made.beat(0, seconds_ago=6.0)
    assert reasons_not_ready(made.view) == ["0 of 2 workers are attached"]
    made.beat(0, attached=0)
    assert reasons_not_ready(made.view) == ["0 of 2 workers are attached"]


def test_every_reason_is_told_at_once() -> None:
    """Draining, a dataset that is not loaded, and missing workers."""
    made = seen(is_loaded=False)
    made.control[Word.IS_DRAINING] = 1
    assert reasons_not_ready(made.view) == [
        "the instance is draining",
        "dataset usage is not loaded yet",
        "0 of 2 workers are attached",
    ]
    nothing = replace(made.view, generation=None)
    assert reasons_not_ready(nothing)[1] == "this worker has not attached the served generation"
    assert status(nothing, NOW)["datasets"] == {}


@pytest.mark.parametrize(
    ("is_loaded", "told", "state"),
    [
        (True, {}, "active"),
        (False, {}, "waiting"),
        (False, {"is_building": True}, "building"),
        (True, {"is_building": True, "is_ok": False}, "building"),
        (False, {"is_ok": False}, "failed"),
        (True, {"is_ok": False}, "refresh_failing"),
    ],
)
def test_the_state_of_a_dataset(is_loaded: bool, told: dict[str, bool], state: str) -> None:
    """One word for what it is doing."""
    made = seen(is_loaded=is_loaded)
    made.tell(usage=told)
    assert status(made.view, NOW)["datasets"]["usage"]["state"] == state


@pytest.mark.parametrize(
    ("windows", "expected"),
    [((), False), ((None,), False), ((10,), False), ((9.99,), True), ((None, 60, 5), True)],
)
def test_a_dataset_is_stale_when_any_endpoint_says_so(
    windows: tuple[float | None, ...], expected: bool
) -> None:
    """Its watermark is ten minutes old; at the window's end it is still fresh."""
    generation = seen(windows=windows).view.generation
    assert generation is not None
    assert is_stale(generation, "usage", NOW) is expected
