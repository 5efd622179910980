"""What the console says of an instance: sorted, failing first, with cause and runbook."""

from __future__ import annotations

import json

import pytest

from offloader.service.actions import KINDS
from offloader.service.worker.console.offers import Offer, offers_of, why_not
from offloader.service.worker.console.view import Page, page_of
from offloader.service.worker.console.visible import visible
from tests.web.console_scenes import (
    NOW,
    Document,
    dataset,
    document,
    failing,
    freshness,
    item,
    many,
    traffic,
    worker,
)


def page(told: Document, *, is_open: bool = True) -> Page:
    """Return the page of an instance with one endpoint's traffic."""
    return page_of(told, (traffic(),), NOW, is_open=is_open, has_token=True)


def test_an_instance_that_is_well_says_so() -> None:
    """The verdict is one word and one sentence, and no area has a problem."""
    shown = page(document())
    assert (shown.level, shown.word, shown.sentence) == ("good", "Serving", "Nothing is wrong.")
    assert [(area.name, area.level, area.count) for area in shown.areas] == [
        ("Service", "good", 0),
        ("Config", "good", 0),
        ("Environment", "good", 0),
        ("Upstream data", "good", 0),
    ]


def test_what_fails_comes_first() -> None:
    """First what is not served, then what is behind, then what is well, each by name."""
    rows = page(failing()).datasets
    assert [(row.level, row.name, row.code) for row in rows] == [
        ("bad", "forecast", "manifest_invalid"),
        ("warn", "billing", "row_count_dropped"),
        ("warn", "events", "store_unreachable"),
        ("good", "accounts", ""),
        ("good", "regions", ""),
        ("good", "usage", ""),
    ]


def test_each_problem_has_an_owner_a_cause_and_a_runbook() -> None:
    """What is wrong of each area, worst first; a note is no problem of an area."""
    shown = page(failing())
    assert (shown.level, shown.word) == ("bad", "Not ready")
    assert [(one.level, one.area, one.dataset, one.runbook) for one in shown.problems] == [
        ("bad", "Upstream data", "forecast", "runbooks#bad-manifest"),
        ("warn", "Environment", "events", "runbooks#source-unreachable"),
        ("warn", "Upstream data", "billing", "runbooks#bad-manifest"),
        ("warn", "Environment", "regions", "runbooks#memory-full"),
        ("idle", "To know", "accounts", "runbooks#stale"),
    ]
    first = shown.problems[0]
    assert first.message == "The manifest has 2 problems"
    assert first.hint == "publish it again with all of its fields"
    assert first.stays == "Nothing of it is served."
    assert first.since == "2 min ago"
    assert first.details[0] == "manifest.json: watermark: missing_key: watermark is missing"
    assert [(area.level, area.count) for area in shown.areas] == [
        ("good", 0),
        ("good", 0),
        ("warn", 2),
        ("bad", 2),
    ]


def test_a_problem_of_the_instance_is_bad_and_one_of_the_config_is_not() -> None:
    """A config that is refused threatens nothing that is served."""
    items = [item("service", "reloader_silent"), item("config", "unknown_key")]
    shown = page(document(verdict={"summary": "s", "items": items}))
    assert [(one.level, one.area) for one in shown.problems] == [
        ("bad", "Service"),
        ("warn", "Config"),
    ]
    assert shown.word == "Serving, and needs attention"


def test_without_the_token_no_text_of_an_error_is_shown() -> None:
    """Codes and what they mean, but no message, hint, path, pid, reason or action."""
    shown = page(failing(), is_open=False)
    text = repr(shown)
    for secret in ("70 %", "secret-path", "customer-config", "gs://", "publish it again", "101"):
        assert secret in repr(page(failing()))
        assert secret not in text
    assert shown.problems[0].meaning == "The manifest has the problems listed with it"
    assert not any(row.facts or row.offers or row.no_way_back for row in shown.datasets)
    assert shown.processes == ()


def test_what_may_be_seen_is_a_list_of_what_may() -> None:
    """A field that diagnostics get one day is not shown before somebody lists it."""
    told = failing()
    told["new_field"] = told["datasets"]["usage"]["new_field"] = "planted"
    for part in ("processes", "memory", "disk", "config_sync"):
        told[part]["new_field"] = "planted"
    told["last_swaps"][0]["new_field"] = told["verdict"]["items"][0]["new_field"] = "planted"
    told["processes"]["workers"][0]["new_field"] = "planted"
    assert json.dumps(told).count("planted") == 9
    assert "planted" not in json.dumps(visible(told))


@pytest.mark.parametrize(
    ("age_seconds", "is_stale", "expected"),
    [
        (600, False, (8, "good", "fresh, 10 min of 2 h")),
        (7199, False, (100, "good", "fresh, 1 h 59 min of 2 h")),
        (9000, True, (100, "warn", "stale, 2 h 30 min of 2 h")),
    ],
)
def test_freshness_is_a_bar_against_the_window(
    age_seconds: int, is_stale: bool, expected: tuple[int, str, str]
) -> None:
    """Its length is the share of the window that has passed; words say the same."""
    told = dataset(freshness=freshness(age_seconds, is_stale=is_stale))
    bar = page(document({"usage": told})).datasets[0].freshness
    assert bar is not None
    assert (bar.percent, bar.level, bar.text) == expected


def test_without_a_window_there_is_no_bar() -> None:
    """The age is shown by itself."""
    row = page(document({"usage": dataset(max_staleness_minutes=None)})).datasets[0]
    assert (row.freshness, row.age) == (None, "10 min")


def offered(**fields: object) -> dict[str, Offer]:
    """Return the actions on a dataset by their kind."""
    return {offer.kind: offer for offer in offers_of(dataset(**fields))}


def test_each_action_says_from_what_to_what() -> None:
    """A rollback names the previous snapshot, a pin the active one and what else is known."""
    told = {"snapshot_id": "s3", "previous": {"snapshot_id": "s2"}, "rolled_back": ["s1"]}
    offers = offered(**told)
    assert set(offers) == set(KINDS) - {"unpin"}
    assert (offers["rollback"].before, offers["rollback"].after) == ("s3", "s2")
    assert (offers["quarantine"].before, offers["quarantine"].after) == ("s3", "s2")
    assert (offers["pin"].after, offers["pin"].choices) == ("s3", ("s3", "s2", "s1"))
    assert (offers["rebuild"].before, offers["rebuild"].after) == ("s3", "s3, built anew")


def test_what_the_rules_refuse_is_not_offered() -> None:
    """Pinned datasets are not rolled back; those of the config are changed there."""
    pin = {"snapshot_id": "s2", "by": "operator"}
    assert set(offered(pinned=pin)) == {"refresh", "unpin", "rebuild"}
    assert offered(pinned=pin)["unpin"].before == "pinned to s2"
    by_config = {**pin, "by": "config"}
    assert set(offered(pinned=by_config)) == {"refresh", "rebuild"}
    assert set(offered(snapshot_id=None)) == {"refresh", "pin"}
    assert "rollback" not in offered(previous=None)
    assert why_not(dataset(previous=None)) == "There is no previous snapshot to roll back to."
    assert why_not(dataset(pinned=by_config)).startswith("The config pins it")
    assert why_not(dataset()) == ""


def test_full_memory_is_said_in_words() -> None:
    """No colour stands alone."""
    shown = page(document(memory={"shared_bytes": 99, "limit_bytes": 100}))
    uses = {use.name: (use.text, use.bar.level if use.bar else "") for use in shown.uses}
    assert uses["In memory"] == ("99 B of 100 B, full", "bad")
    assert uses["Cache volume"] == ("30.0 GiB free of 100 GiB", "good")


def test_processes_are_shown_with_the_token() -> None:
    """Main, each worker and the reloader, and who is missing."""
    told = document()
    told["processes"] |= {"workers": [worker(102), worker(103, is_attached=False)]}
    told["processes"] |= {"workers_attached": 1}
    shown = page(told)
    assert [(one.name, one.level, one.state, one.pid) for one in shown.processes] == [
        ("main", "good", "runs", "101"),
        ("worker 0", "good", "serves", "102"),
        ("worker 1", "warn", "not attached", "103"),
        ("reloader", "good", "watches", "104"),
    ]
    assert shown.workers == "1 of 2 workers serve, 1 restart"


def test_the_timeline_says_from_what_to_what() -> None:
    """A failure names what was not taken, and does not look like a swap."""
    changes = page(failing()).changes
    first, swap, config = changes[0], changes[4], changes[3]
    assert (first.level, first.kind, first.before, first.after, first.code) == (
        "warn",
        "refused",
        "",
        "2026-06-01T00:00:00Z_r0002",
        "row_count_dropped",
    )
    assert (swap.kind, swap.before, swap.ago) == (
        "swapped in",
        "2026-05-31T22:00:00Z_r0001",
        "4 h 10 min ago",
    )
    assert (config.subject, config.kind, config.by) == ("config", "applied", "config")


def test_a_build_says_how_far_it_is() -> None:
    """The step stands in the place of the state."""
    told = document({"usage": dataset(state="building")})
    told["build"] = [{"dataset": "usage", "step": "fetching"}]
    assert page(told).datasets[0].state == "fetching"


def test_before_anything_is_served_the_page_is_there() -> None:
    """Right after the start nothing is known, and nothing is missed."""
    bare = {"version": "0.1.0", "ready": False, "reasons": ["starting"], "datasets": {}}
    bare |= {"config_sync": None, "segment_store": None, "verdict": {"summary": "s", "items": []}}
    for is_open in (True, False):
        shown = page_of(bare, (), NOW, is_open=is_open, has_token=True)
        assert (shown.word, shown.reasons, shown.datasets) == ("Not ready", ("starting",), ())


def test_many_datasets_are_a_page_all_the_same() -> None:
    """66 of them; the one that fails is first."""
    rows = page(many()).datasets
    assert (len(rows), rows[0].name) == (66, "dataset_number_40")
