"""The reloader and its operators: what an action changes, and what it is answered."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused
from offloader.service.actions import Result
from offloader.service.lookout import Lookout
from offloader.service.reloader.main_link import Refused
from tests.service.reloading import BY, Story, begun

FULL = Refused("memory_limit", "9 MiB do not fit", "raise the limit")
REFUSED = SnapshotRefused("too_few_rows", "0 rows, at least 1 wanted", "publish a repaired one")


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A dataset that serves `s2`, as its source has it; `s1` was before it."""
    story = begun(tmp_path, monkeypatch, "a")
    story.settle()
    story.publish("a", "s2", minutes=2)
    story.later()
    assert story.main.committed_ids == {"a": "s2"}
    return story


def outcome(result: Result) -> tuple[str, str, str | None, str | None]:
    return result.outcome, result.code, result.from_snapshot, result.to_snapshot


def active(story: Story) -> tuple[str, str | None]:
    """Return what the state file says is active and previous."""
    saved = story.saved()
    assert saved.active
    return saved.active.snapshot_id, saved.previous.snapshot_id if saved.previous else None


def test_a_refresh_needs_not_wait_for_the_interval(one: Story) -> None:
    """What the source has now is served, and the answer says so."""
    one.publish("a", "s3", minutes=3)
    result = one.act("refresh")
    assert outcome(result) == ("done", "", "s2", "s3")
    assert result.generation == 3
    assert one.main.committed_ids == {"a": "s3"}
    assert active(one) == ("s3", "s2")


def test_a_refresh_of_what_is_served_changes_nothing(one: Story) -> None:
    """And tells it."""
    result = one.act("refresh")
    assert outcome(result) == ("unchanged", "", "s2", "s2")
    assert result.message == "the newest snapshot is served already"
    assert len(one.main.prepared) == 2


def test_a_refresh_tries_again_what_failed_for_good(one: Story) -> None:
    """The interval does not; an operator may know better."""
    one.builder.fails["a"] = REFUSED
    one.publish("a", "s3", minutes=3)
    one.later()
    assert outcome(one.act("refresh")) == ("refused", "too_few_rows", "s2", "s2")
    one.builder.fails.clear()
    one.later()
    assert one.main.committed_ids == {"a": "s2"}
    assert outcome(one.act("refresh")) == ("done", "", "s2", "s3")


def test_a_rollback_swaps_back_and_keeps_the_bad_one_away(one: Story) -> None:
    """Until a newer one appears; over a restart too."""
    assert outcome(one.act("rollback")) == ("done", "", "s2", "s1")
    assert active(one) == ("s1", None)
    one.later()
    one.restart()
    one.settle()
    one.later()
    assert one.main.committed_ids == {"a": "s1"}
    assert one.builder.built_ids() == ["s1", "s2"]
    assert one.datasets()["a"]["rolled_back"] == ["s2"]
    result = one.act("refresh")
    assert outcome(result) == ("unchanged", "", "s1", "s1")
    assert result.message.startswith("the newest snapshot was rolled back")
    assert outcome(one.act("rollback")) == ("refused", "no_previous_snapshot", "s1", "s1")
    one.publish("a", "s3", minutes=3)
    one.later()
    assert one.main.committed_ids == {"a": "s3"}
    assert active(one) == ("s3", "s1")


def test_a_rollback_that_main_refuses_is_called_off(one: Story) -> None:
    """The active snapshot goes on, is not bad, and the next one comes as ever."""
    one.main.answer = lambda _: FULL
    assert outcome(one.act("rollback")) == ("failed", "memory_limit", "s2", "s2")
    one.main.answer = None
    one.restart()
    one.settle()
    assert one.main.committed_ids == {"a": "s2"}
    assert one.saved().rolled_back == ()


def test_a_rolled_back_snapshot_comes_back_when_it_is_accepted(one: Story) -> None:
    """By a refresh, without a pin."""
    one.act("rollback")
    assert outcome(one.act("refresh", accept=True)) == ("done", "", "s1", "s2")
    one.later()
    one.restart()
    one.settle()
    assert one.main.committed_ids == {"a": "s2"}
    assert one.saved().rolled_back == ()


def test_a_pin_stays_whatever_is_published(one: Story) -> None:
    """Over restarts, until it is unpinned."""
    assert outcome(one.act("pin", snapshot_id="s1")) == ("done", "", "s2", "s1")
    one.publish("a", "s3", minutes=3)
    one.later()
    one.restart()
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}
    assert one.datasets()["a"]["pin"] == {"snapshot_id": "s1", "by": "operator"}
    assert outcome(one.act("refresh"))[0] == "unchanged"
    assert outcome(one.act("unpin")) == ("done", "", "s1", "s3")
    assert one.datasets()["a"]["pin"] is None


def test_a_pin_on_what_is_served_is_written_at_once(one: Story) -> None:
    """Nothing is swapped for it."""
    result = one.act("pin")
    assert outcome(result) == ("done", "", "s2", "s2")
    assert result.message == "pinned to s2"
    assert one.saved().pin == "s2"
    assert len(one.main.prepared) == 2


def test_an_unpin_that_leads_nowhere_is_done_all_the_same(one: Story) -> None:
    """The dataset follows its source again; the answer says what that came to."""
    one.act("pin")
    result = one.act("unpin")
    assert outcome(result) == ("done", "", "s2", "s2")
    assert result.message.endswith("the newest snapshot is served already")
    one.act("pin")
    one.manifest("a").unlink()
    result = one.act("unpin")
    assert outcome(result) == ("done", "manifest_missing", "s2", "s2")
    assert one.saved().pin == ""


def test_a_rebuild_loads_the_same_snapshot_anew(one: Story) -> None:
    """Every part is built beside the old one, and has another name in memory."""
    before = set(one.main.held)
    assert outcome(one.act("rebuild")) == ("done", "", "s2", "s2")
    parts = one.main.committed["snapshots"]["a"]["parts"]
    assert {("a", f"{part}.1") for part in parts} == one.main.held - before
    assert one.builder.built_ids() == ["s1", "s2", "s2"]
    assert not list(one.cache.root.glob("rebuilding/*/*/segments/*/*"))
    assert active(one) == ("s2", "s1")
    one.restart()
    one.settle()
    assert outcome(one.act("rebuild")) == ("done", "", "s2", "s2")
    assert {("a", f"{part}.2") for part in parts} <= one.main.held


def test_a_rebuild_counts_on_after_the_reloader_was_killed(one: Story) -> None:
    """Main has the first rebuild in memory: the next one must not be taken for it."""
    state = one.cache.state.read_bytes()
    one.act("rebuild")
    one.cache.state.write_bytes(state)  # killed before the state was written
    one.begin()
    one.settle()
    one.act("rebuild")
    assert one.main.committed["snapshots"]["a"]["copy"] == 2


def test_only_one_action_at_a_time_for_a_dataset(one: Story) -> None:
    """The second is told so at once, and nothing of it happens."""
    first, second = one.ask("rollback"), one.ask("pin")
    one.settle()
    assert outcome(first.result(timeout=0)) == ("done", "", "s2", "s1")
    assert second.result(timeout=0).code == "action_running"
    assert one.saved().pin == ""


def test_an_unknown_dataset_is_refused(one: Story) -> None:
    """With a hint where to look."""
    result = one.act("refresh", "gone")
    assert (result.outcome, result.code) == ("refused", "unknown_dataset")
    assert result.hint


def test_every_action_leaves_an_audit_line(one: Story, caplog: pytest.LogCaptureFixture) -> None:
    """Also one that was refused."""
    caplog.set_level(logging.INFO, "offloader")
    one.act("rollback", reason="wrong totals")
    one.act("rollback")
    one.act("refresh", "gone")
    lines = [r.__dict__["fields"] for r in caplog.records if r.getMessage() == "audit"]
    told = [(line["dataset"], line["from"], line["to"], line["result"]) for line in lines]
    assert told == [
        ("a", "s2", "s1", "done"),
        ("a", "s1", "s1", "refused"),
        ("gone", None, None, "refused"),
    ]
    assert {line["by"] for line in lines} == {BY}
    assert lines[0]["reason"] == "wrong totals"


def test_an_error_nobody_foresaw_is_an_answer_too(
    one: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears of it, and the next action is taken."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    with monkeypatch.context() as patch:
        patch.setattr(Lookout, "look", broken)
        result = one.act("unpin")
    assert (result.outcome, result.code) == ("failed", "internal")
    assert outcome(one.act("refresh"))[0] == "unchanged"
