"""Swaps: what main could not hold in memory, what it gives up for a build, what is damaged."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.quarantine import put_away_parts
from offloader.service.reloader import swap as swap_module
from offloader.service.reloader.main_link import Prepared, Refused
from offloader.service.reloader.swap import FIRST_PROMOTION_SECONDS, MAX_PROMOTION_SECONDS
from tests.service.fake_main import LIMIT_BYTES
from tests.service.reloading import Story, begun

NOW_SECONDS = 1000.0
FULL = Refused("memory_limit", "9 MiB do not fit", "raise the limit")


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """`a` serves `s2`, before it `s1`; for pauses between tries no time passes by itself."""
    clock = SimpleNamespace(monotonic=lambda: NOW_SECONDS, time=time.time)
    monkeypatch.setattr(swap_module, "time", clock)
    story = begun(tmp_path, monkeypatch, "a")
    story.settle()
    story.publish("a", "s2", minutes=2)
    story.later()
    return story


def mapped(story: Story, size_bytes: int) -> None:
    """Have main answer from now on that so much of `a` is mapped from its files."""

    def answer(_: dict[str, str]) -> Prepared:
        return story.main.ready(**({"a": size_bytes} if size_bytes else {}))

    story.main.answer = answer


def pause(story: Story) -> float:
    """Return the seconds until it is asked again whether there is room, and end them."""
    swapper = story.reloader._swapper
    seconds = swapper._promote_at - NOW_SECONDS
    swapper._promote_at = 0.0
    return seconds


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    return [(r.getMessage(), r.__dict__["fields"].get("bytes")) for r in caplog.records]


def test_what_is_mapped_is_told_once(one: Story, caplog: pytest.LogCaptureFixture) -> None:
    """Served from the page cache: slower, and it should be known."""
    mapped(one, 7)
    for number in (3, 4):
        one.publish("a", f"s{number}", minutes=number)
        one.later()
    assert one.main.committed_ids == {"a": "s4"}
    assert events(caplog) == [("served_from_page_cache", 7)]


def test_what_is_mapped_moves_into_memory_when_there_is_room(
    one: Story, caplog: pytest.LogCaptureFixture
) -> None:
    """The same generation is asked for again: committed if anything moved, else dropped."""
    caplog.set_level("INFO", "offloader")
    mapped(one, 7)
    one.publish("a", "s3", minutes=3)
    one.later()
    asked = len(one.main.prepared)
    one.settle()
    assert len(one.main.prepared) == asked
    pauses = [pause(one)]
    one.settle()
    assert one.main.aborted == [asked + 1]
    assert one.main.documents[-1] == one.main.documents[-2]
    pauses.append(pause(one))
    mapped(one, 0)
    one.settle()
    assert one.main.commits[-1] == asked + 2
    assert pauses == [FIRST_PROMOTION_SECONDS, 2 * FIRST_PROMOTION_SECONDS]
    assert "moved_to_memory" in [name for name, _ in events(caplog)]
    pause(one)
    one.settle()
    assert len(one.main.prepared) == asked + 2


def test_the_pauses_between_tries_are_bounded(one: Story) -> None:
    """Each is twice the one before, up to five minutes; a swap begins anew."""
    mapped(one, 7)
    one.publish("a", "s3", minutes=3)
    one.later()
    for _ in range(10):
        pause(one)
        one.reloader.turn()
    assert pause(one) == MAX_PROMOTION_SECONDS
    one.publish("a", "s4", minutes=4)
    one.later()
    assert pause(one) == FIRST_PROMOTION_SECONDS


def test_what_can_never_fit_is_not_tried(one: Story) -> None:
    """More than all the memory there may be."""
    mapped(one, LIMIT_BYTES + 1)
    one.publish("a", "s3", minutes=3)
    one.later()
    asked = len(one.main.prepared)
    pause(one)
    one.settle()
    assert len(one.main.prepared) == asked


def test_a_build_without_memory_gets_what_is_kept_for_a_rollback(
    one: Story, caplog: pytest.LogCaptureFixture
) -> None:
    """The previous segment leaves memory, the file stays: the build is tried again."""
    caplog.set_level("INFO", "offloader")
    assert list(one.main.committed["kept"]) == ["a"]
    one.builder.fails["a"] = SourceUnavailable("builder_out_of_memory", "it ran out", "more")
    one.publish("a", "s3", minutes=3)
    one.later()
    assert one.main.committed["kept"] == {}
    assert one.main.committed_ids == {"a": "s2"}
    assert "previous_segments_dropped" in [name for name, _ in events(caplog)]
    asked = len(one.main.prepared)
    one.later(2)
    assert len(one.main.prepared) == asked  # there is nothing more to let go of
    one.builder.fails.clear()
    one.later()
    assert one.main.committed_ids == {"a": "s3"}
    assert one.act("rollback").to_snapshot == "s2"


def test_a_refused_generation_changes_nothing(one: Story) -> None:
    """What was served and kept before goes on."""
    before = one.main.committed
    one.main.answer = lambda _: FULL
    one.publish("a", "s3", minutes=3)
    one.later()
    assert one.main.committed == before
    one.main.answer = None
    one.later()
    assert one.main.committed_ids == {"a": "s3"}
    kept = one.main.committed["kept"]["a"]
    assert kept == before["snapshots"]["a"]["parts"]


def test_a_damaged_part_is_put_away_with_its_reason(one: Story) -> None:
    """Whichever swap found it."""
    part_id = one.main.committed["snapshots"]["a"]["parts"][0]
    damaged = Refused("segment_corrupt", "id.values is damaged", "", ("a", part_id))
    one.main.answer = lambda _: damaged
    one.configure(description="other words")
    one.reloader.turn()
    (away,) = put_away_parts(one.cache, "a")
    assert (away.part_id, away.reason) == (part_id, "id.values is damaged")
