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

from offloader.service.cache import Cache
from offloader.service.state import Attempt, DatasetState, Snapshot, load_state, save_state

_ACTIVE = Snapshot("s0002", "d2", 20, 21, 200)
_PREVIOUS = Snapshot("s0001", "d1", 10, 11, 100)
_FAILED = Attempt(
    "s0003", "d3", "c", "row_count_differs", "ä message", "a hint", True, 3, 5.5, 0.25
)
_STATE = {"usage": DatasetState(_ACTIVE, _PREVIOUS, _FAILED), "other": DatasetState()}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path)


def test_what_was_saved_is_read(cache: Cache) -> None:
    """Every field comes back, also of a dataset that never served."""
    save_state(cache, _STATE)
    assert load_state(cache) == _STATE


_texts = st.text(max_size=20)
_numbers = st.integers(-(2**63), 2**63 - 1)
_snapshots = st.builds(Snapshot, _texts, _texts, _numbers, _numbers, _numbers)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_attempts = st.builds(Attempt, *([_texts] * 6), st.booleans(), st.integers(0, 99), _floats, _floats)
_datasets = st.builds(DatasetState, st.none() | _snapshots, st.none() | _snapshots, _attempts)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(state=st.dictionaries(_texts, _datasets, max_size=3))
def test_any_state_makes_the_round_trip(cache: Cache, state: dict[str, DatasetState]) -> None:
    """Whatever ids, texts and numbers hold."""
    save_state(cache, state)
    assert load_state(cache) == state


def test_a_missing_state_is_empty(cache: Cache) -> None:
    """The first start has none."""
    assert load_state(cache) == {}


def test_a_state_cut_anywhere_is_empty(cache: Cache) -> None:
    """Half a file is not half believed."""
    save_state(cache, _STATE)
    whole = cache.state.read_bytes()
    for length in range(0, len(whole), 7):
        cache.state.write_bytes(whole[:length])
        assert load_state(cache) == {}


def test_a_state_of_another_version_is_empty(cache: Cache) -> None:
    """Another version's fields mean something else."""
    save_state(cache, _STATE)
    document = json.loads(cache.state.read_bytes())
    cache.state.write_text(json.dumps({**document, "version": 2}))
    assert load_state(cache) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"version":1}',
        b'{"version":1,"datasets":[]}',
        b'{"version":1,"datasets":{"usage":null}}',
        b'{"version":1,"datasets":{"usage":{"active":null,"previous":null}}}',
        b"[" * 100_000,
    ],
)
def test_a_state_that_is_not_ours_is_empty(cache: Cache, content: bytes) -> None:
    """Whatever lies there, the service starts and builds everything anew."""
    cache.state.write_bytes(content)
    assert load_state(cache) == {}


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
    ],
)
def test_a_field_of_another_type_makes_the_state_empty(
    cache: Cache, place: str, name: str, value: object
) -> None:
    """What is read has the types that the rest of the service counts on."""
    save_state(cache, _STATE)
    document: dict[str, Any] = json.loads(cache.state.read_bytes())
    document["datasets"]["usage"][place][name] = value
    cache.state.write_text(json.dumps(document))
    assert load_state(cache) == {}


def test_a_field_that_is_missing_makes_the_state_empty(cache: Cache) -> None:
    """No field has a silent default when it is read."""
    save_state(cache, _STATE)
    document: dict[str, Any] = json.loads(cache.state.read_bytes())
    del document["datasets"]["usage"]["attempt"]["failures"]
    cache.state.write_text(json.dumps(document))
    assert load_state(cache) == {}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_fails_in_between_leaves_the_state_before(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The old state is read as if nothing had been tried, and no other file is left."""
    save_state(cache, _STATE)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
    with pytest.raises(OSError, match="full"):
        save_state(cache, {})
    assert load_state(cache) == _STATE
    assert [path.name for path in cache.root.iterdir()] == ["state.json"]


def test_a_swap_keeps_the_snapshot_before_as_previous() -> None:
    """Another snapshot becomes active and the active one previous."""
    state = DatasetState().activated(_PREVIOUS)
    assert (state.active, state.previous) == (_PREVIOUS, None)
    state = state.activated(_ACTIVE)
    assert (state.active, state.previous) == (_ACTIVE, _PREVIOUS)


def test_the_same_snapshot_again_does_not_become_its_own_previous() -> None:
    """A new contract over the same snapshot leaves previous alone."""
    state = DatasetState(_ACTIVE, _PREVIOUS).activated(_ACTIVE)
    assert (state.active, state.previous) == (_ACTIVE, _PREVIOUS)
