"""An operator's actions: what each means as a task, and what forbids it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.actions import Action, Result
from offloader.service.reloader.operator import after_failure, after_swap, audit, before_work
from offloader.service.state import DatasetState
from tests.service.desk import Desk
from tests.service.reloading import BY


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_refresh_follows_the_source_now(desk: Desk) -> None:
    """Also what failed for good is tried: an operator waits for it."""
    allowed = desk.ask("refresh")
    assert allowed.task == replace(desk.task(), is_asked=True)
    assert (allowed.accepts, allowed.away, allowed.has_work) == ("", None, True)
    assert before_work(allowed, desk.known) == desk.known


def test_a_refresh_may_accept_what_is_published(desk: Desk) -> None:
    """The source must say what that is."""
    allowed = desk.ask("refresh", accept=True)
    assert allowed.accepts == desk.digest("s3")
    assert before_work(allowed, desk.known) == desk.known.accepting(desk.digest("s3"))
    desk.story.manifest("a").unlink()
    assert desk.ask("refresh").accepts == ""
    with pytest.raises(SourceUnavailable) as failed:
        desk.ask("refresh", accept=True)
    assert failed.value.code == "manifest_missing"


def test_a_rollback_goes_to_the_previous_snapshot(desk: Desk) -> None:
    """The active one is known to be bad before anything else happens."""
    allowed = desk.ask("rollback")
    assert (allowed.task.wish, allowed.task.target) == ("rollback", desk.seen["s1"])
    assert allowed.task.is_asked
    known = before_work(allowed, desk.known)
    assert known == replace(desk.known, rolled_back=(desk.seen["s2"],))
    after = after_swap("rollback", known, desk.seen["s1"])
    assert after == DatasetState(desk.seen["s1"], rolled_back=(desk.seen["s2"],))


def test_a_rollback_that_failed_is_called_off(desk: Desk) -> None:
    """What is served goes on, and is not bad; what was rolled back before stays away."""
    known = replace(desk.known, rolled_back=(desk.seen["s3"], desk.seen["s2"]))
    assert after_failure("rollback", known) == replace(known, rolled_back=(desk.seen["s3"],))
    for wish in ("follow", "pin", "rebuild", "quarantine"):
        assert after_failure(wish, known) == known


def test_a_rollback_needs_somewhere_to_go(desk: Desk) -> None:
    """Something served, a snapshot before it, and that one not in quarantine."""
    desk.quarantine("s1")
    code, message = desk.refusal("rollback")
    assert (code, message) == ("needs_accept", "the snapshot s1 was put away: quarantined")
    desk.known = replace(desk.known, previous=None)
    assert desk.refusal("rollback")[0] == "no_previous_snapshot"
    desk.known = DatasetState()
    assert desk.refusal("rollback")[0] == "nothing_served"


def test_a_rebuild_is_of_what_is_served(desk: Desk) -> None:
    """Also of a pinned dataset; each rebuild is counted."""
    allowed = desk.ask("rebuild")
    assert (allowed.task.wish, allowed.task.target) == ("rebuild", desk.seen["s2"])
    once = after_swap("rebuild", desk.known, desk.seen["s2"])
    assert once == replace(desk.known, copy=1)
    assert after_swap("rebuild", once, desk.seen["s2"]).copy == 2
    desk.known = replace(desk.known, pin="s2")
    assert desk.ask("rebuild").task.pin == "s2"
    desk.known = DatasetState()
    assert desk.refusal("rebuild")[0] == "nothing_served"


def test_a_quarantine_of_what_is_served_goes_to_the_previous_snapshot(desk: Desk) -> None:
    """Named or not; the bad one is put away before anything else happens."""
    for fields in ({}, {"snapshot_id": "s2"}):
        allowed = desk.ask("quarantine", **fields)
        assert (allowed.task.wish, allowed.task.target) == ("quarantine", desk.seen["s1"])
        assert (allowed.away, allowed.has_work) == (desk.seen["s2"], True)
        assert before_work(allowed, desk.known) == desk.known
    after = after_swap("quarantine", desk.known, desk.seen["s1"])
    assert after == DatasetState(desk.seen["s1"])


def test_a_quarantine_of_another_snapshot_swaps_nothing(desk: Desk) -> None:
    """It is marked; a previous one that is bad is no way back any more."""
    allowed = desk.ask("quarantine", snapshot_id="s3")
    assert (allowed.away, allowed.has_work) == (desk.seen["s3"], False)
    assert before_work(allowed, desk.known) == desk.known
    allowed = desk.ask("quarantine", snapshot_id="s1")
    assert before_work(allowed, desk.known) == replace(desk.known, previous=None)
    accepted = desk.known.accepting(desk.digest("s1"))
    assert before_work(allowed, accepted).accepted == ""


def test_a_quarantine_needs_something_to_serve_instead(desk: Desk) -> None:
    """What is served is never taken away for nothing."""
    assert desk.refusal("quarantine", snapshot_id="s9")[0] == "snapshot_unknown"
    desk.quarantine("s1")
    assert desk.refusal("quarantine")[0] == "no_previous_snapshot"
    desk.known = replace(desk.known, previous=None)
    assert desk.refusal("quarantine")[0] == "no_previous_snapshot"
    desk.known = DatasetState()
    assert desk.refusal("quarantine")[0] == "nothing_served"


def test_a_word_of_an_operators_counts_once(desk: Desk) -> None:
    """A source that goes back later is refused as ever, and what is served can be put away."""
    known = desk.known.accepting(desk.digest("s1"))
    assert after_swap("follow", known, desk.seen["s1"]).accepted == ""
    assert after_swap("follow", known, desk.seen["s3"]).accepted == ""
    desk.quarantine("s2")
    desk.story.publish("a", "s2", minutes=1)
    allowed = desk.ask("refresh", accept=True)
    assert allowed.accepts == desk.digest("s2")
    assert before_work(allowed, desk.known) == desk.known


def test_every_action_is_one_audit_line(caplog: pytest.LogCaptureFixture) -> None:
    """Who by the token's fingerprint, what, from, to, and the result."""
    caplog.set_level(logging.INFO, "offloader")
    action = Action("pin", "a", BY, snapshot_id="s1", reason="wrong totals", accept=True)
    audit(action, Result("refused", "no", "pinned_by_config", "change it", "s2", "s2"))
    (record,) = caplog.records
    assert record.getMessage() == "audit"
    fields = json.loads(json.dumps(record.__dict__["fields"]))
    assert fields == {
        "by": BY,
        "action": "pin",
        "dataset": "a",
        "from": "s2",
        "to": "s2",
        "result": "refused",
        "code": "pinned_by_config",
        "reason": "wrong totals",
        "accept": True,
    }
