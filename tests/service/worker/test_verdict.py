"""The verdict: whose it is, what comes first, and what anybody may read of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from offloader.service.worker.status import diagnostics, status
from offloader.shared.control import Word
from offloader.shared.slots import Head
from tests.service.seen import NOW, Seen, seen

FREE = 1 << 30
ATTEMPT = {
    "snapshot_id": "s2",
    "manifest_digest": "d",
    "contract": "c",
    "code": "too_few_rows",
    "message": "2 rows, at least 5 are wanted",
    "hint": "publish all rows",
    "is_final": True,
    "failures": 0,
    "at": NOW,
    "duration_seconds": 1.0,
    "problems": [],
}


def instance(**changes: Any) -> Seen:
    """Return an instance that has run for an hour and of which every worker serves."""
    made = seen(**changes)
    made.control[Word.STARTED_AT_US] = int((NOW - 3600) * 1e6)
    for worker in range(made.slots.workers):
        made.beat(worker)
    tell(made)
    return made


def tell(made: Seen, usage: dict[str, Any] | None = None, **board: Any) -> None:
    """Write the board."""
    told = {"datasets": {"usage": usage or {}}, "cache_free_bytes": FREE, **board}
    made.tell_all(told)


def items(made: Seen) -> list[tuple[str, str, str, str | None]]:
    """Return area, severity, code and dataset of every item."""
    found = diagnostics(made.view, NOW)["verdict"]["items"]
    return [(one["area"], one["severity"], one["code"], one["dataset"]) for one in found]


def test_nothing_is_wrong() -> None:
    """No area, no item, and a sentence that says so."""
    assert diagnostics(instance().view, NOW)["verdict"] == {
        "area": "none",
        "summary": "Nothing is wrong: every dataset is served, and as fresh as it is to be.",
        "items": [],
    }


def test_a_refused_snapshot_is_upstreams() -> None:
    """Its item has everything, without the token neither message nor hint."""
    made = instance()
    tell(made, {"is_ok": False, "attempt": ATTEMPT})
    shown = {
        "area": "upstream",
        "severity": "failing",
        "dataset": "usage",
        "code": "too_few_rows",
        "runbook": "docs/operations/runbooks.md#bad-manifest",
    }
    words = {"message": "2 rows, at least 5 are wanted", "hint": "publish all rows"}
    told = diagnostics(made.view, NOW)["verdict"]
    assert told["items"] == [{**shown, **words}]
    assert status(made.view, NOW)["verdict"] == {
        "area": "upstream",
        "summary": "Upstream data: too_few_rows, dataset usage.",
        "items": [shown],
    }
    assert told["summary"] == "Upstream data: too_few_rows, dataset usage."


@pytest.mark.parametrize(
    ("changes", "usage", "expected"),
    [
        ({"windows": (5,)}, {}, ("upstream", "warning", "stale")),
        ({"windows": (5,)}, {"rolled_back": ["s2"]}, ("upstream", "warning", "newest_put_away")),
        ({"windows": (5,), "pin": "s1"}, {}, ("config", "warning", "pinned_and_stale")),
        ({"pin": "s1"}, {}, ("none", "note", "pinned")),
        ({"memory": "page_cache"}, {}, ("environment", "warning", "served_from_page_cache")),
        ({}, {"is_contract_pending": True}, ("config", "warning", "contract_pending")),
        ({}, {"quarantined": 2}, ("environment", "note", "part_quarantined")),
        ({"is_loaded": False}, {}, ("none", "note", "starting")),
    ],
)
def test_what_a_dataset_may_have(
    changes: dict[str, Any], usage: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """One item, of the area of who can act."""
    made = instance(**changes)
    tell(made, usage)
    assert items(made) == [(*expected, "usage")]


def test_a_contract_that_is_being_built_is_not_waited_for() -> None:
    """It needs nobody."""
    made = instance()
    tell(made, {"is_contract_pending": True, "is_building": True})
    assert items(made) == []


def test_a_failure_that_makes_it_stale_is_told_once() -> None:
    """By its cause."""
    made = instance(windows=(5,))
    tell(made, {"is_ok": False, "attempt": ATTEMPT})
    assert items(made) == [("upstream", "failing", "too_few_rows", "usage")]


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        ({"is_state_saved": False}, ("environment", "failing", "state_not_saved")),
        ({"cache_free_bytes": 5}, ("environment", "warning", "disk_low")),
        (
            {"config": {"error": {"code": "store_denied", "message": "m", "hint": "h"}}},
            ("environment", "failing", "store_denied"),
        ),
        (
            {
                "segment_store": {
                    "ok": True,
                    "writable": False,
                    "last_error": {"code": "store_denied", "message": "m", "hint": "h", "at": 1.0},
                }
            },
            ("environment", "warning", "store_denied"),
        ),
    ],
)
def test_what_the_instance_may_have(board: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """One item, of no dataset."""
    made = instance()
    tell(made, None, **board)
    assert items(made) == [(*expected, None)]


def test_a_wrong_config_is_one_item() -> None:
    """The first problem with its place, and how many more there are."""
    made = instance()
    problem = {"file": "f.yml", "path": "a.b", "code": "wrong_type", "message": "m", "hint": "h"}
    tell(made, None, config={"problems": [problem, problem, problem]})
    (item,) = diagnostics(made.view, NOW)["verdict"]["items"]
    assert (item["area"], item["code"], item["hint"]) == ("config", "wrong_type", "h")
    assert item["message"] == "f.yml: a.b: m (and 2 more)"


def test_workers_that_do_not_serve() -> None:
    """Below half it fails; in the first minute of a service they only come up."""
    made = instance(workers=4)
    made.beat(0, seconds_ago=6.0)
    assert items(made) == [("service", "warning", "workers_missing", None)]
    made.beat(1, seconds_ago=6.0)
    made.beat(2, seconds_ago=6.0)
    assert items(made) == [("service", "failing", "workers_missing", None)]
    made.control[Word.STARTED_AT_US] = int((NOW - 59) * 1e6)
    assert items(made) == [("none", "note", "starting", None)]
    made.control[Word.WORKER_RESTARTS] = 1
    assert items(made) == [("service", "failing", "workers_missing", None)]


def test_a_reloader_that_does_not_move() -> None:
    """After ten seconds; before its first heartbeat there is none to miss."""
    made = instance()
    head = made.slots.reloader()
    head[Head.HEARTBEAT_NS] = 1
    assert items(made) == []
    head[Head.PID] = 7
    assert items(made) == [("service", "failing", "reloader_silent", None)]


def test_the_worst_comes_first() -> None:
    """Failing before warnings before notes; the instance before datasets; the summary counts."""
    made = instance(windows=(5,), pin="s1", memory="page_cache")
    made.control[Word.IS_DRAINING] = 1
    tell(made, {"is_ok": False, "attempt": ATTEMPT, "quarantined": 1}, is_state_saved=False)
    assert [(severity, code) for _, severity, code, _ in items(made)] == [
        ("failing", "state_not_saved"),
        ("failing", "too_few_rows"),
        ("warning", "pinned_and_stale"),
        ("warning", "served_from_page_cache"),
        ("note", "draining"),
        ("note", "part_quarantined"),
    ]
    assert status(made.view, NOW)["verdict"]["summary"] == (
        "The environment: state_not_saved, this instance; 3 more below."
    )


def test_what_is_not_served_says_so() -> None:
    """Also in the sentence; while it starts nothing is blamed."""
    made = instance(is_loaded=False)
    assert status(made.view, NOW)["verdict"]["summary"] == "Starting: 1 dataset is not served yet."
    tell(made, {"is_ok": False, "attempt": ATTEMPT})
    assert status(made.view, NOW)["verdict"]["summary"] == (
        "Upstream data: too_few_rows, dataset usage, which serves nothing."
    )


def test_a_worker_without_a_generation_blames_the_service() -> None:
    """It says that it serves nothing."""
    nothing = replace(instance().view, generation=None)
    (item,) = diagnostics(nothing, NOW)["verdict"]["items"]
    assert (item["area"], item["code"]) == ("service", "nothing_attached")
