"""The reloader: which failures it remembers, and when it tries again."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.state import Attempt
from tests.service.reloading import INTERVAL_SECONDS, Story, begun

REFUSED = SnapshotRefused("too_few_rows", "0 rows, at least 1 wanted", "publish a repaired one")
KILLED = SourceUnavailable("builder_killed", "the builder ended", "give it more memory")


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return begun(tmp_path, monkeypatch, "a")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return begun(tmp_path, monkeypatch, "a", "b")


def test_a_refused_snapshot_is_not_built_again(one: Story) -> None:
    """A refusal is remembered, also over a restart, and what was served goes on."""
    one.settle()
    one.publish("a", "s2")
    one.builder.fails["a"] = REFUSED
    one.later()
    one.later()
    one.restart()
    one.settle()
    assert one.builder.built() == ["a", "a"]
    assert one.main.committed_ids == {"a": "s1"}
    attempt = one.saved("a").attempt
    assert (attempt.code, attempt.is_final, attempt.failures) == ("too_few_rows", True, 0)
    assert (attempt.snapshot_id, attempt.message) == ("s2", REFUSED.message)
    assert one.datasets()["a"]["is_ok"] is False


def test_after_a_refusal_the_next_snapshot_is_built(one: Story) -> None:
    """A repaired snapshot is seen at the usual interval, and nothing of the refusal is left."""
    one.builder.fails["a"] = REFUSED
    one.settle()
    assert one.main.prepared == []
    one.builder.fails.clear()
    one.publish("a", "s2")
    one.later(1.11 * INTERVAL_SECONDS)
    assert one.main.committed_ids == {"a": "s2"}
    assert one.saved("a").attempt.code == ""
    assert one.datasets()["a"]["is_ok"] is True


def test_a_refused_snapshot_is_built_again_under_another_contract(one: Story) -> None:
    """A loosened guard gives the snapshot another chance."""
    one.builder.fails["a"] = REFUSED
    one.settle()
    one.builder.fails.clear()
    one.configure(guards={"min_rows": 0})
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}


def test_a_refused_manifest_is_seen_again_at_the_interval(one: Story) -> None:
    """A manifest that cannot be served costs nothing to look at: no pause grows."""
    one.publish("a", "s1", dataset_id="b")
    one.settle()
    for _ in range(12):
        one.later(1.11 * INTERVAL_SECONDS)
    attempt = one.saved("a").attempt
    assert (attempt.code, attempt.is_final) == ("dataset_differs", True)
    assert one.datasets()["a"]["outcomes"] == {"refused": 13}
    one.publish("a", "s1")
    one.later(1.11 * INTERVAL_SECONDS)
    assert one.main.committed_ids == {"a": "s1"}


def test_a_transient_failure_is_tried_again_after_growing_pauses(one: Story) -> None:
    """One second, two, four …, give or take a quarter; then it works, and all is forgotten."""
    one.builder.fails["a"] = KILLED
    one.settle()
    for failures in range(1, 8):
        pause_seconds = 2.0 ** (failures - 1)
        assert one.saved("a").attempt.failures == failures
        one.later(0.74 * pause_seconds)
        assert len(one.builder.jobs) == failures
        one.later(0.52 * pause_seconds)
        assert len(one.builder.jobs) == failures + 1
    one.builder.fails.clear()
    one.later(1.26 * 2**7)
    assert one.main.committed_ids == {"a": "s1"}
    assert one.saved("a").attempt.failures == 0


def test_a_missing_manifest_is_unreachable_until_it_is_there(one: Story) -> None:
    """Nothing published yet is a transient failure of the source, not of a snapshot."""
    one.manifest("a").unlink()
    one.settle()
    told = one.datasets()["a"]
    assert (told["is_reachable"], told["attempt"]["code"]) == (False, "manifest_missing")
    assert told["attempt"]["is_final"] is False
    one.publish("a", "s1")
    one.later(1.26)
    assert one.main.committed_ids == {"a": "s1"}
    assert one.datasets()["a"]["is_reachable"] is True


def test_a_source_that_comes_back_unchanged_is_no_failure_any_more(one: Story) -> None:
    """The manifest vanishes and is there again: nothing is built, the failure is over."""
    one.settle()
    one.manifest("a").unlink()
    one.later()
    assert one.saved("a").attempt.code == "manifest_missing"
    one.publish("a", "s1")
    one.later()
    assert one.saved("a").attempt == Attempt()
    assert one.datasets()["a"]["is_ok"] is True
    assert one.builder.built() == ["a"]


def test_one_datasets_failure_leaves_the_others_alone(two: Story) -> None:
    """While `a` is refused, `b` is served, and its next snapshot too."""
    two.builder.fails["a"] = REFUSED
    two.settle()
    assert two.main.committed_ids == {"b": "s1"}
    two.publish("b", "s2")
    two.later()
    assert two.main.committed_ids == {"b": "s2"}
    assert {name: told["is_ok"] for name, told in two.datasets().items()} == {
        "a": False,
        "b": True,
    }


def test_an_error_nobody_foresaw_is_a_transient_failure(one: Story) -> None:
    """Whatever a build raises, the loop goes on and the failure can be read."""
    one.builder.fails["a"] = ZeroDivisionError("oh")
    one.settle()
    attempt = one.saved("a").attempt
    assert (attempt.code, attempt.message) == (
        "internal",
        "a fault of the service: ZeroDivisionError",
    )
    assert attempt.is_final is False
