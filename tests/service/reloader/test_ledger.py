"""The reloader's book: what is known is corrected by what is served, written, and holds files."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.model import Catalog
from offloader.service.composition import contracts_of
from offloader.service.generation_document import entry_of, kept_manifest
from offloader.service.reloader.ledger import Ledger
from offloader.service.reloader.task import Step
from offloader.service.state import Attempt, DatasetState, Saved, Snapshot, load_state, save_state
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.desk import Desk
from tests.service.reloading import COLUMNS, dataset_document

FAILED = Attempt("s3", "d3", "c", "builder_killed", "it ended", "more memory", failures=1, at=5.0)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """`s1`, `s2` and `s3` are kept; `s2` is served, `s1` was before it."""
    return Desk(tmp_path)


def begun(desk: Desk, saved: DatasetState, served: str = "", copy: int = 0) -> Ledger:
    """Return the ledger of a reloader that finds this state, and main serving this snapshot."""
    cache = desk.story.cache
    save_state(cache.state, Saved({"a": saved}))
    ledger = Ledger(cache, cache.state, lambda: 7.0)
    entry = {"snapshot": asdict(desk.seen[served]), "copy": copy} if served else None
    ledger.begin(["a"], {"a": entry} if entry else {})
    return ledger


def known(desk: Desk, saved: DatasetState, served: str = "", copy: int = 0) -> DatasetState:
    return begun(desk, saved, served, copy).state["a"]


def catalog(desk: Desk) -> Catalog:
    return loaded(desk.story.root).catalog


def parts(desk: Desk, *snapshot_ids: str) -> set[str]:
    """Return the ids of the parts of snapshots under the contract as it is written."""
    found = set()
    for snapshot_id in snapshot_ids:
        manifest = kept_manifest(desk.story.cache, "a", desk.digest(snapshot_id))
        assert manifest is not None
        found |= set(entry_of(catalog(desk), "a", manifest)["parts"])
    return found


def held(desk: Desk, saved: DatasetState, *catalogs: Catalog) -> tuple[set[str], set[str]]:
    """Return the parts and the manifests that are held."""
    served = saved.active.snapshot_id if saved.active else ""
    found = begun(desk, saved, served).holds(catalogs or [catalog(desk)])["a"]
    return set(found.parts), set(found.manifests)


def digests(desk: Desk, *snapshot_ids: str) -> set[str]:
    return {desk.digest(snapshot_id) for snapshot_id in snapshot_ids}


def test_a_state_that_is_right_stays(desk: Desk) -> None:
    """Nothing happened between the last save and now."""
    saved = replace(desk.known, pin="s2", rolled_back=(desk.seen["s3"],), copy=2)
    assert known(desk, saved, "s2", copy=2) == saved


def test_a_swap_that_was_not_written_is_known(desk: Desk) -> None:
    """Killed between commit and save: one step on."""
    saved = DatasetState(desk.seen["s1"], copy=2)
    assert known(desk, saved, "s2") == DatasetState(desk.seen["s2"], desk.seen["s1"])
    assert known(desk, DatasetState(), "s2") == DatasetState(desk.seen["s2"])


def test_a_rollback_that_was_not_written_is_known(desk: Desk) -> None:
    """One step back: what was bad is no way back."""
    saved = replace(desk.known, rolled_back=(desk.seen["s2"],))
    assert known(desk, saved, "s1") == DatasetState(desk.seen["s1"], rolled_back=saved.rolled_back)


def test_a_word_that_was_carried_out_counts_no_longer(desk: Desk) -> None:
    """Accepted, committed, killed."""
    saved = desk.known.accepting(desk.digest("s3"))
    assert known(desk, saved, "s3").accepted == ""
    assert known(desk, saved, "s2").accepted == desk.digest("s3")


def test_a_rebuild_that_was_not_written_is_known(desk: Desk) -> None:
    """The next one must have another number."""
    assert known(desk, replace(desk.known, copy=1), "s2", copy=2).copy == 2


def test_what_main_does_not_serve_was_served_before(desk: Desk) -> None:
    """Its parts are lost: what the source has may come, whatever its age."""
    saved = replace(desk.known, pin="s2", rolled_back=(desk.seen["s3"],), copy=3)
    assert known(desk, saved) == replace(saved, active=None, previous=desk.seen["s2"], copy=0)
    assert known(desk, DatasetState(previous=desk.seen["s1"])).previous == desk.seen["s1"]


def test_a_dataset_that_goes_is_remembered_and_holds_nothing(desk: Desk) -> None:
    """Its pin and its bad snapshots count again when it comes back; its files may go."""
    saved = replace(desk.known, pin="s2", rolled_back=(desk.seen["s3"],))
    ledger = begun(desk, saved, "s2")
    ledger.begin(["b"], {})
    assert set(ledger.state) == set(ledger.progress) == {"b"}
    assert ledger.holds([catalog(desk)]).keys() == {"b"}
    ledger.keep()
    ledger.save_if_due([catalog(desk)], loaded(desk.story.root).documents)
    assert load_state(desk.story.cache.state).datasets.keys() == {"a", "b"}
    ledger.begin(["a", "b"], {})
    assert ledger.state["a"] == replace(saved, active=None, previous=None)


def test_active_and_previous_are_held(desk: Desk) -> None:
    """Their parts, and the manifests they were built from."""
    expected = parts(desk, "s1", "s2"), digests(desk, "s1", "s2")
    assert held(desk, desk.known) == expected


def test_the_latest_rolled_back_snapshot_is_held(desk: Desk) -> None:
    """An operator may have second thoughts; older ones are let go."""
    saved = DatasetState(desk.seen["s1"], rolled_back=(desk.seen["s3"], desk.seen["s2"]))
    assert held(desk, saved) == (parts(desk, "s1", "s2"), digests(desk, "s1", "s2"))


@pytest.mark.parametrize("by", ["operator", "config"])
def test_a_pinned_snapshot_is_held_while_another_is_served(desk: Desk, by: str) -> None:
    """It may have to be built again first, and its source may not have it any more."""
    saved = DatasetState(desk.seen["s2"])
    if by == "operator":
        saved = replace(saved, pin="s3")
    else:
        desk.pin_in_config("s3")
    assert held(desk, saved) == (parts(desk, "s2", "s3"), digests(desk, "s2", "s3"))
    lost = replace(saved, pin=saved.pin and "s9")
    desk.pin_in_config("s9")
    assert held(desk, lost) == (parts(desk, "s2"), digests(desk, "s2"))


def test_what_is_served_and_what_is_to_be_served_are_held(desk: Desk) -> None:
    """While a contract waits: the parts under the old one and under the new one."""
    before = catalog(desk)
    old = parts(desk, "s1", "s2")
    schema = [{"name": name, "type": kind} for name, kind in COLUMNS[:1]]
    write_yaml(desk.story.root / "datasets" / "a.yml", dataset_document("a", schema=schema))
    new = parts(desk, "s1", "s2")
    assert not old & new
    found = held(desk, desk.known, before, catalog(desk))
    assert found == (old | new, digests(desk, "s1", "s2"))


def test_a_contract_that_a_snapshot_does_not_fit_holds_nothing_more(desk: Desk) -> None:
    """There are no parts of it under that one."""
    before, old = catalog(desk), parts(desk, "s1", "s2")
    schema = [{"name": name, "type": kind} for name, kind in (*COLUMNS, ("plan", "VARCHAR"))]
    write_yaml(desk.story.root / "datasets" / "a.yml", dataset_document("a", schema=schema))
    assert held(desk, desk.known, before, catalog(desk)) == (old, digests(desk, "s1", "s2"))


def test_everything_is_written(desk: Desk) -> None:
    """What is known, what is served under which contract, and what is held; then it is saved."""
    ledger, project = begun(desk, desk.known, "s2"), loaded(desk.story.root)
    assert ledger.is_saved
    ledger.change("a", replace(ledger.state["a"], pin="s2"))
    assert not ledger.is_saved
    ledger.save_if_due([project.catalog], project.documents)
    assert ledger.is_saved
    saved = load_state(desk.story.cache.state)
    assert saved.datasets == {"a": replace(desk.known, pin="s2")}
    assert saved.contracts == contracts_of(project.documents)
    assert saved.holds == ledger.holds([project.catalog])


def test_a_failure_is_told_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """However often it comes again; another one, or of another snapshot, is news."""
    ledger = begun(desk, desk.known, "s2")
    for attempt in (FAILED, replace(FAILED, failures=2), replace(FAILED, manifest_digest="d4")):
        ledger.note_failure("a", attempt)
    ledger.note_failure("a", replace(FAILED, code="too_old", is_final=True))
    told = [r.__dict__["fields"]["code"] for r in caplog.records]
    assert told == ["builder_killed", "builder_killed", "too_old"]
    assert ledger.progress["a"].outcomes == {"failed": 3, "refused": 1}
    assert not ledger.progress["a"].is_ok


def test_a_failure_is_over_when_the_dataset_is_well(desk: Desk) -> None:
    """What was refused before is still not well."""
    ledger = begun(desk, desk.known, "s2")
    ledger.note_failure("a", FAILED)
    ledger.note_unchanged("a", "refused_before")
    assert (ledger.state["a"].attempt, ledger.progress["a"].is_ok) == (FAILED, False)
    ledger.note_unchanged("a", "served")
    assert (ledger.state["a"].attempt, ledger.progress["a"].is_ok) == (Attempt(), True)


def test_a_source_that_does_not_answer_is_told_of_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The work goes on; what failed before is counted on."""
    caplog.set_level(logging.WARNING, "offloader")
    ledger = begun(desk, replace(desk.known, attempt=FAILED), "s2")
    steps: list[Step] = ["queued", "building", "standing_still", "standing_still"]
    seen: list[Any] = []
    for step in steps:
        ledger.note_step("a", step)
        progress = ledger.progress["a"]
        seen.append((progress.is_queued, progress.is_building, progress.is_reachable))
    assert seen == [
        (True, False, True),
        (False, True, True),
        (False, True, False),
        (False, True, False),
    ]
    attempt = ledger.state["a"].attempt
    assert (attempt.code, attempt.failures, attempt.is_final) == ("source_slow", 1, False)
    assert len(caplog.records) == 1
    ledger.note_step("gone", "queued")  # the config dropped it meanwhile


def test_an_unknown_snapshot_fits_the_book(desk: Desk) -> None:
    """The manifest of what is served cannot be read: nothing of it can be held by name."""
    gone = Snapshot("s9", "9" * 32, 1, 1, 1)
    desk.seen["s9"] = gone
    assert held(desk, DatasetState(gone)) == (set(), {"9" * 32})
