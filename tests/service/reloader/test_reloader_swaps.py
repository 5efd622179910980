"""The reloader and main: batches, damaged parts, pins, restarts."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from offloader.service.reloader import reloader as reloader_module
from offloader.service.reloader.main_link import Refused
from offloader.shared.slots import Head
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.reloading import Story, begun, dataset_document


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return begun(tmp_path, monkeypatch, "a")


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    return begun(tmp_path, monkeypatch, "a", "b")


def test_what_is_built_together_is_swapped_together(two: Story) -> None:
    """Outcomes that are there at once make one generation."""
    two.gather()
    two.settle()
    assert two.main.prepared == [{"a": "s1", "b": "s1"}]


def test_a_refused_batch_is_tried_one_by_one(two: Story) -> None:
    """Only the dataset that main cannot take stays behind."""

    def answer(wanted: dict[str, str]) -> int | Refused:
        full = Refused("memory_limit", "9 MiB do not fit", "raise the limit")
        return full if "a" in wanted else len(two.main.prepared)

    two.main.answer = answer
    two.gather()
    two.settle()
    assert two.main.prepared[0] == {"a": "s1", "b": "s1"}
    assert {"b": "s1"} in two.main.prepared
    assert len(two.main.prepared) == 3
    assert two.main.committed_ids == {"b": "s1"}
    attempt = two.saved("a").attempt
    assert (attempt.code, attempt.hint) == ("memory_limit", "raise the limit")
    assert (attempt.is_final, attempt.failures) == (False, 1)
    assert two.saved("a").active is None


def test_a_damaged_part_is_put_away_and_built_again_at_once(one: Story) -> None:
    """Main found a flipped bit: the part goes into quarantine, and the next look builds it."""
    part = one.cache.part("a", "0" * 32)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"damaged")

    def answer(_: dict[str, str]) -> int | Refused:
        if len(one.main.prepared) > 1:
            return len(one.main.prepared)
        return Refused("segment_corrupt", "id.values is damaged", "", ("a", part.name))

    one.main.answer = answer
    one.turn_until(lambda: one.main.prepared)
    assert not part.exists()
    (kept,) = one.cache.root.glob(f"quarantine/a/{part.name}.1000*.reason")
    assert kept.read_text() == "id.values is damaged\n"
    assert one.saved("a").attempt.code == "segment_corrupt"
    one.settle()
    assert one.builder.built() == ["a", "a"]
    assert one.main.committed_ids == {"a": "s1"}
    assert one.datasets()["a"]["quarantined"] == 1


def test_a_part_that_stays_damaged_is_not_built_without_end(one: Story) -> None:
    """Broken memory or a broken disk: the second time the pauses begin to grow."""
    damaged = ("a", "0" * 32)
    one.main.answer = lambda _: Refused("segment_corrupt", "damaged", "", damaged)
    one.settle()
    one.settle()
    assert one.builder.built() == ["a", "a"]
    one.later(1.49)
    assert one.builder.built() == ["a", "a"]
    one.later(1.02)
    assert one.builder.built() == ["a", "a", "a"]


def pinned(story: Story, snapshot_id: str, *served: str) -> None:
    """Pin dataset `a` in the config and start anew."""
    write_yaml(story.root / "datasets" / "a.yml", dataset_document("a", pin=snapshot_id))
    story.project = loaded(story.root)
    story.restart(*served)


def test_a_pinned_dataset_stays_on_its_snapshot(one: Story) -> None:
    """Newer snapshots are neither built nor a failure."""
    one.settle()
    pinned(one, "s1", "a")
    one.publish("a", "s2")
    one.settle()
    assert (one.builder.built(), one.main.prepared) == (["a"], [])
    assert one.datasets()["a"]["is_ok"] is True


def test_a_pinned_snapshot_that_is_published_is_served(one: Story) -> None:
    """A pin on what the source has now is no obstacle."""
    one.settle()
    one.publish("a", "s2")
    pinned(one, "s2", "a")
    one.settle()
    assert one.main.committed_ids == {"a": "s2"}


def test_a_pinned_snapshot_that_is_not_served_is_a_failure(one: Story) -> None:
    """The state remembers it, but main could not load it: that is told, not passed over."""
    one.settle()
    pinned(one, "s1")
    one.publish("a", "s2")
    one.settle()
    assert one.main.prepared == []
    attempt = one.datasets()["a"]["attempt"]
    assert (attempt["code"], attempt["is_final"]) == ("pinned_snapshot_missing", False)


def test_the_state_is_corrected_by_what_main_serves(one: Story) -> None:
    """The state file is from before the last swap: main serves `s2`, so `s1` was before it."""
    one.settle()
    old = one.cache.state.read_bytes()
    one.publish("a", "s2")
    one.later()
    one.cache.state.write_bytes(old)
    one.restart("a")
    one.settle()
    told = one.datasets()["a"]
    assert told["previous"]["snapshot_id"] == "s1"
    assert (one.builder.built(), one.main.prepared) == (["a", "a"], [])


def test_the_builder_learns_what_is_served(one: Story) -> None:
    """Guards need the rows of the snapshot before, and whether this one was served before."""
    one.settle()
    one.publish("a", "s2")
    one.later()
    one.restart()
    one.settle()
    told = [(job["previous_row_count"], job["was_active"]) for job in one.builder.jobs]
    assert told == [(None, False), (0, False), (0, True)]


def test_a_state_that_cannot_be_saved_stops_nothing(
    one: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full cache volume costs the memory of what was tried, not the service."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reloader_module, "save_state", full)
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}


@pytest.mark.parametrize("lost", [EOFError("the peer is gone"), BrokenPipeError()])
def test_without_main_the_run_ends(one: Story, lost: Exception) -> None:
    """The reloader is nothing without main: its run ends with the error of the connection."""

    def answer(_: dict[str, str]) -> int:
        raise lost

    one.main.answer = answer
    with pytest.raises(type(lost)):
        one.reloader.run(Event())


def test_a_run_shows_its_pid_and_its_heart(one: Story) -> None:
    """The watchdog sees who works and since when; `stop` ends the run."""
    stop = Event()

    def answer(_: dict[str, str]) -> int:
        stop.set()
        return 1

    one.main.answer = answer
    one.reloader.run(stop)
    heart = one.main.slots.reloader()
    assert heart[Head.PID] > 0
    assert heart[Head.HEARTBEAT_NS] > 0
