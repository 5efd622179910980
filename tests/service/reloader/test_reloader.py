"""The reloader: what it looks at, when, and what it builds and swaps in."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from offloader.catalog.model import Dataset
from offloader.service.lookout import Lookout, Published
from offloader.service.project import Project
from offloader.service.reloader import work as work_module
from offloader.service.state import Attempt
from tests.service.reloading import INTERVAL_SECONDS, Story, begun, begun_with_threads


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return begun(tmp_path, monkeypatch, "a")


def test_a_new_snapshot_is_built_prepared_committed_and_saved(one: Story) -> None:
    """What the source has first is served; a newer one follows, the older is `previous`."""
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}
    one.publish("a", "s2")
    one.later()
    assert one.main.prepared == [{"a": "s1"}, {"a": "s2"}]
    assert one.main.committed_ids == {"a": "s2"}
    saved = one.saved("a")
    assert saved.active
    assert saved.previous
    assert (saved.active.snapshot_id, saved.previous.snapshot_id) == ("s2", "s1")
    assert (saved.attempt.snapshot_id, saved.attempt.code) == ("s2", "")
    assert saved.attempt.manifest_digest == saved.active.manifest_digest


def test_a_served_snapshot_is_not_built_again(one: Story) -> None:
    """Looks at an unchanged manifest build and swap nothing."""
    one.settle()
    one.later()
    one.later()
    assert (one.builder.built(), len(one.main.prepared)) == (["a"], 1)
    assert one.datasets()["a"]["outcomes"] == {"swapped": 1, "unchanged": 2}


def test_nothing_is_looked_at_before_its_time(one: Story) -> None:
    """The interval passes, give or take a tenth, between two looks."""
    one.settle()
    one.publish("a", "s2")
    one.later(0.89 * INTERVAL_SECONDS)
    assert one.main.committed_ids == {"a": "s1"}
    one.later(0.22 * INTERVAL_SECONDS)
    assert one.main.committed_ids == {"a": "s2"}


def test_a_dataset_may_have_an_interval_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`refresh.interval_seconds` goes before the setting."""
    story = begun(tmp_path, monkeypatch, "a", refresh={"interval_seconds": 1000})
    story.settle()
    story.publish("a", "s2")
    story.later(890)
    assert story.main.committed_ids == {"a": "s1"}
    story.later(220)
    assert story.main.committed_ids == {"a": "s2"}


@pytest.mark.parametrize("answered", [0, 1], ids=["first", "in its turn"])
def test_a_slow_look_delays_no_other_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    """While the source of `a` does not answer, `b` is looked at, built and served."""
    monkeypatch.setattr(work_module, "STANDSTILL_SECONDS", 0.05)
    two, answers = begun_with_threads(tmp_path, monkeypatch, "a", "b"), Event()
    real, looks = Lookout.look, 0

    def slow(lookout: Lookout, project: Project, dataset: Dataset) -> Published:
        nonlocal looks
        if dataset.id == "a":
            looks += 1
            assert looks <= answered or answers.wait(20)
        return real(lookout, project, dataset)

    monkeypatch.setattr(Lookout, "look", slow)
    try:
        two.turn_until(lambda: two.main.committed_ids)
        assert two.main.committed_ids == {"b": "s1"}
        assert two.datasets()["a"]["is_looking"] is True
    finally:
        answers.set()
    two.settle()
    assert two.main.committed_ids == {"a": "s1", "b": "s1"}


def test_a_long_build_delays_no_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one dataset builds and many wait for their turn, a failing source is still seen."""
    names = [f"d{number}" for number in range(8)]
    story, done = begun_with_threads(tmp_path, monkeypatch, *names), Event()
    story.manifest("d7").unlink()
    story.builder.before = lambda _: done.wait(20)
    try:
        story.turn_until(lambda: story.datasets()["d7"]["attempt"])
        assert story.datasets()["d7"]["attempt"]["code"] == "manifest_missing"
        story.turn_until(lambda: count(story, "is_building"))
        story.turn_until(lambda: count(story, "is_building") + count(story, "is_queued") == 7)
        assert count(story, "is_building") == 1
    finally:
        done.set()
    story.settle()
    assert story.main.committed_ids == dict.fromkeys(names[:7], "s1")


def count(story: Story, what: str) -> int:
    return sum(told[what] for told in story.datasets().values())


def test_the_status_document(one: Story) -> None:
    """Everything that is known of a dataset besides what is served, in one shape."""
    one.settle()
    document = one.main.status()
    assert document["cache_free_bytes"] > 0
    assert (document["instance"], document["is_state_saved"]) == (0, True)
    assert document["config"] == {
        "sync_enabled": False,
        "ok": True,
        "revision": one.project.catalog.revision,
        "pending": [],
        "problems": [],
        "error": None,
        "checked_at": 0.0,
        "failing_at": 0.0,
        "location": None,
        "fetched_at": 0.0,
    }
    assert set(document) == {
        *("datasets", "cache_free_bytes", "config", "instance", "is_state_saved", "segment_store"),
        *("cache_total_bytes", "cache_bytes", "events"),
    }
    told = dict(document["datasets"]["a"])
    attempt = told.pop("attempt")
    assert told.pop("duration_seconds") == attempt["duration_seconds"]
    assert told == {
        "is_looking": False,
        "is_queued": False,
        "is_building": False,
        "is_ok": True,
        "is_reachable": True,
        "began_at": 1000.0,
        "step": "",
        "step_at": 1000.0,
        "pinned_at": 0.0,
        "unreachable_since": 0.0,
        "looked_at": 1000.0,
        "outcomes": {"swapped": 1},
        "previous": None,
        "pin": None,
        "rolled_back": [],
        "is_contract_pending": False,
        "quarantined": 0,
        "quarantined_snapshots": [],
    }
    assert set(attempt) == set(Attempt.__dataclass_fields__)
    assert (attempt["snapshot_id"], attempt["code"], attempt["at"]) == ("s1", "", 1000.0)
