"""Readiness and status, from what a worker sees."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from offloader.service.worker.status import diagnostics, status
from offloader.service.worker.view import dataset_names, is_stale, reasons_not_ready
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


def test_a_worker_that_is_silent_or_behind_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five seconds without a heartbeat, or an older generation."""
    monkeypatch.setattr(time, "monotonic_ns", lambda: 10**12)
    made = seen(workers=2)
    made.beat(0, seconds_ago=4.9)
    made.beat(1, seconds_ago=5.0)
    assert reasons_not_ready(made.view) == []
    made.beat(0, seconds_ago=5.0)
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


def usage_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a document says of the one dataset."""
    usage: dict[str, Any] = document["datasets"]["usage"]
    return usage


CONFIG_PIN = {"snapshot_id": "s9", "by": "config"}
OPERATOR_PIN = {"snapshot_id": "s1", "by": "operator"}


@pytest.mark.parametrize(
    ("in_config", "told", "pin"),
    [
        (None, {}, None),
        ("s9", {}, CONFIG_PIN),
        ("s9", {"pin": OPERATOR_PIN}, OPERATOR_PIN),
        (None, {"pin": OPERATOR_PIN}, OPERATOR_PIN),
        ("s9", {"pin": None}, None),
    ],
)
def test_the_pin_is_what_the_reloader_says(
    in_config: str | None, told: dict[str, Any], pin: dict[str, str] | None
) -> None:
    """Until its first word the config's counts; status tells only that there is one."""
    made = seen(pin=in_config)
    made.tell(usage=told)
    assert usage_of(diagnostics(made.view, NOW))["pinned"] == pin
    assert usage_of(status(made.view, NOW))["pinned"] is (pin is not None)


def test_diagnostics_tell_what_is_kept_away(loaded: Seen) -> None:
    """Rolled back and quarantined snapshots, and a contract that waits for its build."""
    away = {"snapshot_id": "s2", "reason": "wrong sums", "at": 1.5}
    loaded.tell(
        usage={
            "rolled_back": ["s3", "s2"],
            "quarantined_snapshots": [away],
            "quarantined": 2,
            "is_contract_pending": True,
        }
    )
    usage = usage_of(diagnostics(loaded.view, NOW))
    assert usage["rolled_back"] == ["s3", "s2"]
    assert usage["quarantined_snapshots"] == [{**away, "at": "1970-01-01T00:00:01.500000Z"}]
    assert (usage["quarantined_parts"], usage["contract_pending"]) == (2, True)
    shown = usage_of(status(loaded.view, NOW))
    assert (shown["state"], shown["pinned"], shown["rolled_back"]) == ("active", False, True)
    loaded.tell(usage={})
    usage = usage_of(diagnostics(loaded.view, NOW))
    assert (usage["rolled_back"], usage["quarantined_snapshots"]) == ([], [])
    assert (usage["quarantined_parts"], usage["contract_pending"]) == (0, False)


@pytest.mark.parametrize("memory", ["shared", "page_cache"])
def test_diagnostics_tell_where_a_segment_lies(memory: str) -> None:
    """In shared memory, or in the page cache over its file; nowhere before it is loaded."""
    assert usage_of(diagnostics(seen(memory=memory).view, NOW))["memory"] == memory
    assert usage_of(diagnostics(seen(is_loaded=False).view, NOW))["memory"] is None


def test_diagnostics_tell_the_narrowest_window() -> None:
    """The one that decides whether the dataset is stale."""
    made = seen(windows=(None, 60, 9.5))
    assert usage_of(diagnostics(made.view, NOW))["max_staleness_minutes"] == 9.5
    assert usage_of(diagnostics(seen(windows=(None,)).view, NOW))["max_staleness_minutes"] is None


def test_diagnostics_tell_of_the_config() -> None:
    """Whether it is looked at, what is wrong with the newest, and what waits for a build."""
    made = seen()
    assert diagnostics(made.view, NOW)["config_sync"] is None
    problem = {"file": "f", "path": "p", "code": "c", "message": "m", "hint": "h"}
    config = {
        "sync_enabled": True,
        "ok": False,
        "revision": "r1",
        "pending": ["usage"],
        "problems": [problem],
        "error": {"code": "store_denied", "message": "no", "hint": "ask"},
        "checked_at": NOW,
        "failing_at": NOW - 60,
        "location": "gs://bucket/project",
        "fetched_at": NOW - 120,
    }
    made.tell_all({"datasets": {}, "config": config, "instance": 1})
    document = diagnostics(made.view, NOW)
    assert document["instance"] == 1
    assert document["config_sync"] == {
        "enabled": True,
        "ok": False,
        "revision": "r1",
        "pending": ["usage"],
        "problems": [problem],
        "error": {"code": "store_denied", "message": "no", "hint": "ask"},
        "failing_since": "2026-06-01T00:09:00Z",
        "checked_at": "2026-06-01T00:10:00Z",
        "location": "gs://bucket/project",
        "fetched_at": "2026-06-01T00:08:00Z",
    }
    made.tell_all({"datasets": {}, "config": {"sync_enabled": False, "checked_at": 0.0}})
    shown = diagnostics(made.view, NOW)["config_sync"]
    assert (shown["ok"], shown["checked_at"]) == (True, None)


def test_diagnostics_tell_which_builds_are_under_way(loaded: Seen) -> None:
    """By dataset, also of one that is not served yet."""
    loaded.tell(usage={"is_building": True}, coming={"is_building": True}, idle={})
    assert diagnostics(loaded.view, NOW)["building"] == ["coming", "usage"]


def test_every_dataset_has_a_name(loaded: Seen) -> None:
    """Those that are served, and those that the reloader is about to serve."""
    loaded.tell(coming={})
    assert dataset_names(loaded.view) == {"usage", "coming"}
    assert dataset_names(replace(loaded.view, generation=None)) == {"coming"}


def test_diagnostics_without_a_generation_still_answer() -> None:
    """A worker that has not attached yet shows the processes all the same."""
    nothing = replace(seen().view, generation=None)
    assert diagnostics(nothing, NOW)["datasets"] == {}
