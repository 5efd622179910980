"""Since when a dataset is pinned: by whoever, to whatever, over restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offloader.service.state import DatasetState, Saved, load_state, save_state
from tests.service.reloading import Story, begun


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A dataset that serves `s1` and follows its source."""
    story = begun(tmp_path, monkeypatch, "a")
    story.settle()
    return story


def since(story: Story) -> float:
    """Return what the board says after one more turn."""
    story.later(1.0)
    found: float = story.datasets()["a"]["pinned_at"]
    return found


def test_an_operators_pin_counts_from_its_moment(one: Story) -> None:
    """Not from the next pin, nor from a restart; once it follows its source it is 0."""
    assert since(one) == 0.0
    one.act("pin")
    at = since(one)
    assert 1000.0 < at <= one.now
    one.publish("a", "s2", minutes=2)
    one.act("pin", snapshot_id="s1")
    one.later(100.0)
    one.restart()
    one.settle()
    assert since(one) == at
    one.act("unpin")
    assert since(one) == 0.0


def test_a_pin_of_the_config_counts_from_when_it_was_taken_over(one: Story) -> None:
    """And ends with it."""
    one.configure(pin="s1")
    at = since(one)
    assert 1000.0 < at <= one.now
    one.later(50.0)
    assert since(one) == at
    one.configure()
    assert since(one) == 0.0


def test_a_state_file_of_before_is_read(tmp_path: Path) -> None:
    """It says nothing of since when: that begins with the first look."""
    path = tmp_path / "state.json"
    save_state(path, Saved({"a": DatasetState(pin="s1", pinned_at=5.0)}))
    assert load_state(path).datasets["a"].pinned_at == 5.0
    document = json.loads(path.read_bytes())
    del document["datasets"]["a"]["pinned_at"]
    path.write_text(json.dumps(document))
    assert load_state(path).datasets["a"] == DatasetState(pin="s1")
