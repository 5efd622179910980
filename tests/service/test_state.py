"""Rules of the state file: what was saved is what the next start reads, or nothing is."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offloader.errors import Problem
from offloader.service.state import (
    MAX_ROLLED_BACK,
    VERSION,
    Attempt,
    DatasetState,
    Held,
    Saved,
    Snapshot,
    load_state,
    save_state,
)
from offloader.service.timeline import Event

_PROBLEM = Problem("manifest.json", "files[0].path", "path_absolute", "ä", "be relative")
_ACTIVE = Snapshot("s0002", "d2", 20, 21, 200)
_PREVIOUS = Snapshot("s0001", "d1", 10, 11, 100)
_BAD = Snapshot("s0000", "d0", 5, 5, 50)
_FAILED = Attempt(
    "s0003", "d3", "c", "row_count_differs", "ä message", "a hint", True, 3, 5.5, 0.25, (_PROBLEM,)
)
_USAGE = DatasetState(
    _ACTIVE, _PREVIOUS, _FAILED, pin="s0002", rolled_back=(_BAD,), accepted="d2", copy=4
)
_SAVED = Saved(
    {"usage": _USAGE, "other": DatasetState()},
    {"project": {"version": 1}, "datasets": {"datasets/usage.yml": {"id": "usage"}}},
    {"usage": Held(("p1", "p2"), ("d2", "d1")), "other": Held()},
    (Event(1.5, "swapped", "usage", "source", "s1", "s2", "", "", 0.5, 3), Event(2.0, "pinned")),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a state file will be."""
    return tmp_path / "state.json"


def test_what_was_saved_is_read(path: Path) -> None:
    """Every field comes back, also of a dataset that never served."""
    save_state(path, _SAVED)
    assert load_state(path) == _SAVED


_texts = st.text(max_size=20)
_numbers = st.integers(-(2**63), 2**63 - 1)
_snapshots = st.builds(Snapshot, _texts, _texts, _numbers, _numbers, _numbers)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_attempts = st.builds(Attempt, *([_texts] * 6), st.booleans(), st.integers(0, 99), _floats, _floats)
_datasets = st.builds(
    DatasetState,
    st.none() | _snapshots,
    st.none() | _snapshots,
    _attempts,
    _texts,
    st.lists(_snapshots, max_size=3).map(tuple),
    _texts,
    st.integers(0, 99),
)
_ids = st.lists(_texts, max_size=3).map(tuple)
_saved = st.builds(
    Saved,
    st.dictionaries(_texts, _datasets, max_size=3),
    st.dictionaries(_texts, st.none() | _texts | st.lists(st.booleans(), max_size=2), max_size=3),
    st.dictionaries(_texts, st.builds(Held, _ids, _ids), max_size=3),
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(saved=_saved)
def test_any_state_makes_the_round_trip(path: Path, saved: Saved) -> None:
    """Whatever ids, texts and numbers hold."""
    save_state(path, saved)
    assert load_state(path) == saved


def test_a_missing_state_is_empty(path: Path) -> None:
    """The first start has none."""
    assert load_state(path) == Saved()


def test_a_state_cut_anywhere_is_empty(path: Path) -> None:
    """Half a file is not half believed."""
    save_state(path, _SAVED)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert load_state(path) == Saved()


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, None, str(VERSION)])
def test_a_state_of_another_version_is_empty(path: Path, version: object) -> None:
    """Another version's fields mean something else."""
    save_state(path, _SAVED)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "version": version}))
    assert load_state(path) == Saved()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"version":2}',
        b'{"version":2,"datasets":[],"contracts":{},"holds":{}}',
        b'{"version":2,"datasets":{},"contracts":[],"holds":[]}',
        b'{"version":2,"datasets":{},"contracts":{},"holds":{"usage":{"parts":["p"]}}}',
        b'{"version":2,"datasets":{},"contracts":{},"holds":{"usage":{"parts":1,"manifests":[]}}}',
        b'{"version":2,"datasets":{"usage":null},"contracts":{},"holds":{}}',
        b'{"version":2,"datasets":{"usage":{"active":null}},"contracts":{},"holds":{}}',
        b"[" * 100_000,
    ],
)
def test_a_state_that_is_not_ours_is_empty(path: Path, content: bytes) -> None:
    """Whatever lies there, the service starts and builds everything anew."""
    path.write_bytes(content)
    assert load_state(path) == Saved()


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("active", "manifest_digest", 5),
        ("active", "manifest_digest", None),
        ("active", "row_count", "100"),
        ("active", "watermark", 1.5),
        ("active", "row_count", True),
        ("previous", "snapshot_id", []),
        ("attempt", "is_final", 1),
        ("attempt", "at", "now"),
        ("attempt", "unknown", "x"),
        ("", "pin", None),
        ("", "accepted", 1),
        ("", "copy", "many"),
        ("", "rolled_back", [None]),
        ("", "rolled_back", None),
    ],
)
def test_a_field_of_another_type_makes_the_state_empty(
    path: Path, place: str, name: str, value: object
) -> None:
    """What is read has the types that the rest of the service counts on."""
    save_state(path, _SAVED)
    document: dict[str, Any] = json.loads(path.read_bytes())
    usage = document["datasets"]["usage"]
    (usage[place] if place else usage)[name] = value
    path.write_text(json.dumps(document))
    assert load_state(path) == Saved()


@pytest.mark.parametrize("name", ["active", "attempt", "pin", "rolled_back", "accepted", "copy"])
def test_a_field_that_is_missing_makes_the_state_empty(path: Path, name: str) -> None:
    """No field has a silent default when it is read."""
    save_state(path, _SAVED)
    document: dict[str, Any] = json.loads(path.read_bytes())
    del document["datasets"]["usage"][name]
    path.write_text(json.dumps(document))
    assert load_state(path) == Saved()


def test_a_field_of_an_attempt_that_is_missing_makes_the_state_empty(path: Path) -> None:
    """The same holds one level down."""
    save_state(path, _SAVED)
    document: dict[str, Any] = json.loads(path.read_bytes())
    del document["datasets"]["usage"]["attempt"]["failures"]
    path.write_text(json.dumps(document))
    assert load_state(path) == Saved()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_fails_in_between_leaves_the_state_before(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The old state is read as if nothing had been tried, and no other file is left."""
    save_state(path, _SAVED)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
    with pytest.raises(OSError, match="full"):
        save_state(path, Saved())
    assert load_state(path) == _SAVED
    assert [one.name for one in path.parent.iterdir()] == ["state.json"]


def test_a_swap_keeps_the_snapshot_before_as_previous() -> None:
    """Another snapshot becomes active and the active one previous; rebuilds count anew."""
    state = DatasetState(copy=2).activated(_PREVIOUS)
    assert (state.active, state.previous, state.copy) == (_PREVIOUS, None, 0)
    state = state.activated(_ACTIVE)
    assert (state.active, state.previous) == (_ACTIVE, _PREVIOUS)


def test_the_same_snapshot_again_does_not_become_its_own_previous() -> None:
    """A new contract over the same snapshot leaves previous and the rebuilds alone."""
    state = DatasetState(_ACTIVE, _PREVIOUS, copy=2).activated(_ACTIVE)
    assert (state.active, state.previous, state.copy) == (_ACTIVE, _PREVIOUS, 2)


def test_a_rollback_is_decided_before_it_is_carried_out() -> None:
    """The active snapshot is to stay away from now on, and nothing counts as accepted."""
    state = DatasetState(_ACTIVE, _PREVIOUS, accepted="d2").rolling_back()
    assert state == DatasetState(_ACTIVE, _PREVIOUS, rolled_back=(_ACTIVE,))
    assert state.rolling_back() == state
    assert state.replaced_by(_PREVIOUS) == DatasetState(_PREVIOUS, None, rolled_back=(_ACTIVE,))
    assert DatasetState().rolling_back() == DatasetState()


def test_only_so_many_rolled_back_snapshots_are_remembered() -> None:
    """The oldest is forgotten: it is older than what is served anyway."""
    state = DatasetState()
    snapshots = [Snapshot(f"s{n}", f"d{n}", n, n, 1) for n in range(MAX_ROLLED_BACK + 1)]
    for snapshot in snapshots:
        state = state.activated(snapshot).rolling_back()
    assert state.rolled_back == tuple(snapshots[1:])


def test_an_accepted_snapshot_is_not_rolled_back_any_more() -> None:
    """Others that were rolled back stay away."""
    state = DatasetState(_PREVIOUS, rolled_back=(_BAD, _ACTIVE)).accepting("d2")
    assert state == DatasetState(_PREVIOUS, rolled_back=(_BAD,), accepted="d2")


def test_every_remembered_snapshot_is_told_the_active_one_first() -> None:
    """Then the previous one, then those that were rolled back, newest first."""
    older = Snapshot("s", "d", 1, 1, 1)
    state = DatasetState(_ACTIVE, _PREVIOUS, rolled_back=(older, _BAD))
    assert state.snapshots() == (_ACTIVE, _PREVIOUS, _BAD, older)
    assert DatasetState().snapshots() == ()


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        {},
        {"problems": {}, "events": [{"at": 1}]},
        {"problems": {"usage": [{}]}, "events": []},
        {"problems": {"usage": None}, "events": []},
    ],
)
def test_what_is_only_shown_may_be_lost(path: Path, told: object) -> None:
    """A file of an older version, or with nonsense there, is read as to all that decides."""
    save_state(path, _SAVED)
    document = json.loads(path.read_bytes())
    document["told"] = told
    path.write_text(json.dumps(document))
    found = load_state(path)
    assert found.events == ()
    assert found.datasets["usage"].pin == "s0002"
    assert found.datasets["usage"].attempt.code == _FAILED.code
    assert found.datasets["usage"].attempt.problems == ()
    assert found.holds == _SAVED.holds


def test_an_older_version_reads_all_that_decides(path: Path) -> None:
    """It knows of no problems and no events, and refuses fields that it does not know."""
    save_state(path, _SAVED)
    document = json.loads(path.read_bytes())
    assert set(document) == {"version", "datasets", "contracts", "holds", "told"}
    assert "problems" not in document["datasets"]["usage"]["attempt"]
