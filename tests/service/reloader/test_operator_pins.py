"""An operator's pins: which snapshots may be pinned, and whose word goes first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.actions import Kind
from offloader.service.reloader.operator import after_swap, before_work
from offloader.service.state import DatasetState
from tests.service.building import loaded
from tests.service.desk import Desk
from tests.service.looking import look


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_pin_takes_any_snapshot_that_is_kept(desk: Desk) -> None:
    """The previous one, and one that was only published; after the swap it is pinned."""
    for wanted in ("s1", "s3"):
        allowed = desk.ask("pin", snapshot_id=wanted)
        assert (allowed.task.wish, allowed.task.target) == ("pin", desk.seen[wanted])
        assert before_work(allowed, desk.known) == desk.known
        after = after_swap("pin", desk.known, desk.seen[wanted])
        assert after == DatasetState(desk.seen[wanted], desk.seen["s2"], pin=wanted)


def test_a_pin_on_what_is_served_needs_no_work(desk: Desk) -> None:
    """Named or not."""
    for fields in ({}, {"snapshot_id": "s2"}):
        allowed = desk.ask("pin", **fields)
        assert not allowed.has_work
        assert before_work(allowed, desk.known) == replace(desk.known, pin="s2")


def test_a_pin_needs_a_snapshot_that_is_known(desk: Desk) -> None:
    """And one that is not put away, unless the operator accepts it."""
    assert desk.refusal("pin", snapshot_id="s9")[0] == "snapshot_unknown"
    desk.quarantine("s1")
    assert desk.refusal("pin", snapshot_id="s1")[0] == "needs_accept"
    allowed = desk.ask("pin", snapshot_id="s1", accept=True)
    assert allowed.accepts == desk.digest("s1")
    desk.known = replace(desk.known, rolled_back=(desk.seen["s3"],))
    code, message = desk.refusal("pin", snapshot_id="s3")
    assert (code, message) == ("needs_accept", "the snapshot s3 was put away: rolled back")
    allowed = desk.ask("pin", snapshot_id="s3", accept=True)
    known = before_work(allowed, desk.known)
    assert (known.rolled_back, known.accepted, known.pin) == ((), desk.digest("s3"), "")
    desk.known = DatasetState()
    assert desk.refusal("pin")[0] == "nothing_served"


def test_an_id_stands_for_what_was_served_under_it(desk: Desk) -> None:
    """The same id was published again, was refused, and is kept all the same."""
    for minute in range(10, 20):
        desk.story.publish("a", "s1", minutes=minute)
        project = loaded(desk.story.root)
        look(project, project.catalog.datasets["a"], desk.story.cache)
    assert desk.ask("pin", snapshot_id="s1").task.target == desk.seen["s1"]


def test_an_unpin_follows_the_source_again(desk: Desk) -> None:
    """The pin is gone even if the source does not answer now: it is judged when it does."""
    desk.known = replace(desk.known, pin="s2")
    allowed = desk.ask("unpin")
    assert (allowed.task.wish, allowed.task.target, allowed.accepts) == ("follow", None, "")
    assert before_work(allowed, desk.known) == replace(desk.known, pin="")
    desk.story.manifest("a").unlink()
    assert before_work(desk.ask("unpin"), desk.known) == replace(desk.known, pin="")


@pytest.mark.parametrize("how", ["quarantined", "rolled_back"])
def test_an_unpin_towards_what_was_put_away_needs_a_word(desk: Desk, how: str) -> None:
    """What is published would come at once."""
    desk.known = replace(desk.known, pin="s2")
    if how == "quarantined":
        desk.quarantine("s3")
    else:
        desk.known = replace(desk.known, rolled_back=(desk.seen["s3"],))
    assert desk.refusal("unpin")[0] == "needs_accept"
    allowed = desk.ask("unpin", accept=True)
    known = before_work(allowed, desk.known)
    assert (known.pin, known.rolled_back, known.accepted) == ("", (), desk.digest("s3"))
    desk.story.manifest("a").unlink()
    with pytest.raises(SourceUnavailable):
        desk.ask("unpin", accept=True)


@pytest.mark.parametrize("kind", ["rollback", "quarantine"])
def test_a_pinned_dataset_must_be_unpinned_first(desk: Desk, kind: Kind) -> None:
    """Somebody said that it is to stay there."""
    desk.known = replace(desk.known, pin="s2")
    assert desk.refusal(kind) == ("pinned", "the dataset is pinned to s2")


@pytest.mark.parametrize("kind", ["rollback", "quarantine", "pin", "unpin"])
def test_the_configs_pin_goes_before_an_operators(desk: Desk, kind: Kind) -> None:
    """It reaches every replica, so it must be changed where it stands."""
    desk.known = replace(desk.known, pin="s1")
    desk.pin_in_config("s2")
    expected = ("pinned_by_config", "the config pins the dataset to s2")
    assert desk.refusal(kind) == expected
    assert desk.task().pin == "s2"
    assert desk.ask("rebuild").task.pin == "s2"
