"""An operator's action and what happens while it is carried out: swaps, builds, other words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused
from offloader.service.actions import Kind, Result
from offloader.service.quarantine import marks
from offloader.service.reloader.main_link import Refused
from tests.service.reloading import INTERVAL_SECONDS, Story, begun

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


def swap_in(story: Story, snapshot_id: str) -> None:
    """Have a newer snapshot published and served."""
    story.publish("a", snapshot_id, minutes=3)
    story.now += 2 * INTERVAL_SECONDS
    for _ in range(2):
        story.reloader.turn()
        story.jobs.run()
    story.reloader.turn()
    assert story.main.committed_ids == {"a": snapshot_id}


@pytest.mark.parametrize("kind", ["rollback", "rebuild", "quarantine", "pin"])
def test_an_action_is_of_what_was_served_when_it_was_asked_for(one: Story, kind: Kind) -> None:
    """`s3` came before it was carried out: nobody has found anything wrong with that one."""
    answer = one.ask(kind)
    one.reloader.turn()
    check = one.jobs.waiting.popleft()
    swap_in(one, "s3")
    check()
    one.settle()
    assert outcome(answer.result(timeout=0)) == ("refused", "dataset_changed", "s3", "s3")
    assert (active(one), one.saved().rolled_back, one.saved().pin) == (("s3", "s2"), (), "")
    assert marks(one.cache, "a") == ()


def test_an_action_that_names_another_snapshot_is_carried_out(one: Story) -> None:
    """Whatever is served by then."""
    answer = one.ask("pin", snapshot_id="s1")
    one.reloader.turn()
    check = one.jobs.waiting.popleft()
    swap_in(one, "s3")
    check()
    one.settle()
    assert outcome(answer.result(timeout=0)) == ("done", "", "s2", "s1")
    assert one.saved().pin == "s1"


def overtaken(one: Story) -> Callable[[], object]:
    """Have a look do its work before an action that was allowed; return the action's own work."""
    one.reloader.turn()
    one.jobs.run()  # whether it is allowed
    one.reloader.check_all(lambda: None)
    one.reloader.turn()
    one.reloader.turn()
    asked, look = one.jobs.waiting
    one.jobs.waiting.clear()
    look()
    one.reloader.turn()
    return asked


@pytest.mark.parametrize("kind", ["rollback", "quarantine"])
def test_a_look_that_carries_an_action_out_first_has_done_it(one: Story, kind: Kind) -> None:
    """What was decided is noted before the work: a look that begins then does the same."""
    answer = one.ask(kind)
    asked = overtaken(one)
    assert one.main.committed_ids == {"a": "s1"}
    asked()
    one.settle()
    assert outcome(answer.result(timeout=0)) == ("done", "", "s2", "s1")
    assert one.main.committed_ids == {"a": "s1"}


def test_a_look_that_brings_what_is_to_be_pinned_leaves_the_pin(one: Story) -> None:
    """What was put away and is accepted again comes by the look: the pin is noted all the same."""
    one.act("quarantine")
    assert one.main.committed_ids == {"a": "s1"}
    answer = one.ask("pin", snapshot_id="s2", accept=True)
    asked = overtaken(one)
    assert one.main.committed_ids == {"a": "s2"}
    asked()
    one.settle()
    assert outcome(answer.result(timeout=0)) == ("done", "", "s1", "s2")
    assert (one.saved().pin, one.main.committed_ids) == ("s2", {"a": "s2"})


@pytest.mark.parametrize("kind", ["rollback", "pin", "quarantine"])
def test_an_action_while_a_build_runs_drops_that_build(one: Story, kind: Kind) -> None:
    """Pointer and pin are read again before the commit."""
    fields = {"snapshot_id": "s3"} if kind == "quarantine" else {}
    answers = []

    def meanwhile(_: str) -> None:
        one.builder.before = lambda _: None
        answers.append(one.ask(kind, **fields))
        one.reloader.turn()
        one.jobs.waiting.popleft()()  # whether it is allowed
        one.reloader.turn()

    one.builder.before = meanwhile
    one.publish("a", "s3", minutes=3)
    one.later()
    assert answers[0].result(timeout=0).outcome == "done"
    if kind == "rollback":  # s3 is newer than what was rolled back: it comes after all
        assert one.main.prepared[-2:] == [{"a": "s1"}, {"a": "s3"}]
    else:
        assert one.main.committed_ids == {"a": "s2"}
        assert {"a": "s3"} not in one.main.prepared
