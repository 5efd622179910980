"""The reloader and quarantine: what is put away stays away, whoever put it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused
from offloader.service.actions import Result
from offloader.service.quarantine import Mark, mark, marks
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


def test_a_quarantine_swaps_back_and_marks_the_bad_one(one: Story) -> None:
    """The mark lies on the volume, where other instances see it too."""
    assert outcome(one.act("quarantine", reason="wrong totals")) == ("done", "", "s2", "s1")
    (made,) = marks(one.cache, "a")
    assert (made.snapshot_id, made.reason, made.by) == ("s2", "wrong totals", BY)
    one.later()
    one.restart()
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}
    assert outcome(one.act("refresh"))[0] == "unchanged"
    assert outcome(one.act("pin", snapshot_id="s2")) == ("refused", "needs_accept", "s1", "s1")
    told = one.datasets()["a"]["quarantined_snapshots"]
    assert [(away["snapshot_id"], away["reason"]) for away in told] == [("s2", "wrong totals")]
    assert outcome(one.act("pin", snapshot_id="s2", accept=True)) == ("done", "", "s1", "s2")
    assert marks(one.cache, "a") == ()


def test_what_is_to_be_served_instead_is_not_put_away_meanwhile(one: Story) -> None:
    """The swap back fails for now, and is tried again: until then its target stays."""
    one.main.answer = lambda _: FULL
    assert outcome(one.act("quarantine")) == ("failed", "memory_limit", "s2", "s2")
    refused = ("refused", "no_previous_snapshot", "s2", "s2")
    assert outcome(one.act("quarantine", snapshot_id="s1")) == refused
    one.main.answer = None
    one.later(1000.0)
    assert one.main.committed_ids == {"a": "s1"}


def test_a_quarantine_of_what_is_not_served_keeps_it_away(one: Story) -> None:
    """It is known from a build that failed; nothing is swapped."""
    one.builder.fails["a"] = REFUSED
    one.publish("a", "s3", minutes=3)
    one.later()
    one.builder.fails.clear()
    result = one.act("quarantine", snapshot_id="s3")
    assert outcome(result) == ("done", "", "s2", "s2")
    assert result.message == "s3 is quarantined, and was not served"
    assert outcome(one.act("refresh"))[0] == "unchanged"
    assert one.builder.built_ids() == ["s1", "s2", "s3"]


def test_a_mark_by_another_instance_is_carried_out_here_too(one: Story) -> None:
    """One volume, one word; what is served there cannot be told from here."""
    digest = one.saved().snapshots()[0].manifest_digest
    mark(one.cache, "a", Mark("s2", digest, "wrong totals", "beef", 2.0))
    one.later()
    assert one.main.committed_ids == {"a": "s1"}
    assert active(one) == ("s1", None)
    one.later()
    assert one.main.committed_ids == {"a": "s1"}


def test_a_mark_that_cannot_be_written_is_no_quarantine(
    one: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swapped back without it, the bad one would come again at the next look."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("offloader.service.quarantine.write_whole", full)
    assert outcome(one.act("quarantine")) == ("failed", "quarantine_not_written", "s2", "s2")
    assert one.main.committed_ids == {"a": "s2"}
    assert active(one) == ("s2", "s1")
