"""The reloader and main: batches, damaged parts, restarts, the end of either."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from offloader.service.reloader import ledger as ledger_module
from offloader.service.reloader.ledger import SAVE_AGAIN_SECONDS
from offloader.service.reloader.main_link import Prepared, Refused
from offloader.shared.slots import Head
from tests.service.reloading import Story, begun

FULL = Refused("memory_limit", "9 MiB do not fit", "raise the limit")


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
    two.main.answer = lambda wanted: FULL if "a" in wanted else None
    two.gather()
    two.settle()
    assert two.main.prepared == [{"a": "s1", "b": "s1"}, {"a": "s1"}, {"b": "s1"}]
    assert two.main.committed_ids == {"b": "s1"}
    attempt = two.saved("a").attempt
    assert (attempt.code, attempt.hint) == ("memory_limit", "raise the limit")
    assert (attempt.is_final, attempt.failures) == (False, 1)
    assert two.saved("a").active is None
    assert two.saved("b").attempt.code == ""


def test_a_damaged_part_is_put_away_and_built_again_at_once(one: Story) -> None:
    """Main found a flipped bit: the part goes into quarantine, and the next look builds it."""
    parts = one.cache.root / "segments" / "a"

    def spoil(_: str) -> None:
        one.builder.after = lambda _: None
        for part in parts.iterdir():
            part.write_bytes(b"damaged")

    one.builder.after = spoil
    one.settle()
    assert one.builder.built() == ["a", "a"]
    assert one.main.prepared == [{"a": "s1"}, {"a": "s1"}]
    assert one.main.committed_ids == {"a": "s1"}
    (kept,) = one.cache.root.glob("quarantine/a/*.reason")
    assert kept.read_text() == "a part is damaged\n"
    assert kept.with_suffix("").read_bytes() == b"damaged"
    assert one.datasets()["a"]["outcomes"] == {"failed": 1, "swapped": 1}
    one.later()
    assert one.datasets()["a"]["quarantined"] == 1


def test_a_part_that_stays_damaged_is_not_built_without_end(one: Story) -> None:
    """Broken memory or a broken disk: the second time the pauses begin to grow."""

    def damaged(_: object) -> Refused:
        part = next((one.cache.root / "segments" / "a").iterdir())
        return Refused("segment_corrupt", "damaged", "", ("a", part.name))

    one.main.answer = damaged
    one.settle()
    assert one.builder.built() == ["a", "a"]
    one.later(1.49)
    assert one.builder.built() == ["a", "a"]
    one.later(1.02)
    assert one.builder.built() == ["a", "a", "a"]


def test_the_state_is_corrected_by_what_main_serves(one: Story) -> None:
    """The state file is from before the last swap: main serves `s2`, so `s1` was before it."""
    one.settle()
    old = one.cache.state.read_bytes()
    one.publish("a", "s2")
    one.later()
    one.cache.state.write_bytes(old)
    one.begin()
    one.settle()
    told = one.datasets()["a"]
    assert told["previous"]["snapshot_id"] == "s1"
    assert (one.builder.built(), len(one.main.prepared)) == (["a", "a"], 2)
    saved = one.saved()
    assert saved.active
    assert saved.active.snapshot_id == "s2"


def test_the_builder_learns_what_is_served(one: Story) -> None:
    """Guards need the rows of the snapshot before, and whether this one was served before."""
    one.publish("a", "s1", rows=7)
    one.settle()
    one.publish("a", "s2")
    one.later()
    one.lose_parts()
    one.restart()
    one.settle()
    told = [(job["previous_row_count"], job["was_served"]) for job in one.builder.jobs]
    assert told == [(None, False), (7, False), (None, True)]


def test_a_restart_that_finds_no_parts_builds_what_was_served(one: Story) -> None:
    """The state says what was active, but the cache lost it: it is no reason to serve nothing."""
    one.settle()
    one.lose_parts()
    one.restart()
    assert one.main.committed_ids == {}
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}
    saved = one.saved()
    assert (saved.active, saved.previous) == (saved.active, None)


def test_a_state_that_cannot_be_saved_stops_nothing_and_is_tried_again(
    one: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full cache volume costs the memory of what was tried, not the service."""
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(ledger_module, "save_state", full)
        one.settle()
        assert one.main.committed_ids == {"a": "s1"}
        assert one.main.status()["is_state_saved"] is False
        assert not one.cache.state.exists()
        assert len(list(one.cache.leases.iterdir())) == 1
    one.later(0.99 * SAVE_AGAIN_SECONDS)
    assert not one.cache.state.exists()
    one.later(0.02 * SAVE_AGAIN_SECONDS)
    assert one.main.status()["is_state_saved"] is True
    saved = one.saved()
    assert saved.active
    assert saved.active.snapshot_id == "s1"
    assert list(one.cache.leases.iterdir()) == []


@pytest.mark.parametrize("lost", [EOFError("the peer is gone"), BrokenPipeError()])
def test_without_main_the_run_ends(one: Story, lost: Exception) -> None:
    """The reloader is nothing without main: its run ends with the error of the connection."""

    def answer(_: dict[str, str]) -> None:
        raise lost

    one.gather()
    one.main.answer = answer
    with pytest.raises(type(lost)):
        one.reloader.run(Event())


def test_a_run_shows_its_pid_and_its_heart(one: Story) -> None:
    """The watchdog sees who works and since when; `stop` ends the run."""
    stop = Event()

    def answer(_: dict[str, str]) -> Prepared:
        stop.set()
        return one.main.ready()

    one.gather()
    one.main.answer = answer
    one.reloader.run(stop)
    heart = one.main.slots.reloader()
    assert heart[Head.PID] > 0
    assert heart[Head.HEARTBEAT_NS] > 0
