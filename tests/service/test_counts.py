"""The numbers of a built snapshot: kept beside its manifest, enough to ask the guards again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Guards
from offloader.errors import SnapshotRefused
from offloader.service.cache import Cache
from offloader.service.counts import (
    Counts,
    counts_of,
    load_counts,
    refuse_unguarded,
    save_counts,
)
from tests.snapshots import manifest_document

DIGEST = "d" * 32
WATERMARK_SECONDS = 1_780_272_000.0


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def manifest() -> Manifest:
    document = manifest_document("usage", [("id", "BIGINT")], [])
    return parse_manifest(json.dumps(document).encode(), "manifest.json")


def test_what_was_counted_is_read(cache: Cache) -> None:
    """Rows, nulls by column, and how many rows repeat each key that was asked for."""
    counts = Counts(30, {"region": 4, "plan": 0}, {"tenant,day": 2})
    save_counts(cache, "usage", DIGEST, counts)
    assert load_counts(cache, "usage", DIGEST) == counts
    assert load_counts(cache, "usage", "e" * 32) is None
    assert load_counts(cache, "billing", DIGEST) is None


def test_what_another_contract_had_counted_stays(cache: Cache) -> None:
    """A guard that comes back needs no build."""
    save_counts(cache, "usage", DIGEST, Counts(30, {"region": 4}, {"tenant": 27}))
    save_counts(cache, "usage", DIGEST, Counts(30, {"plan": 1}, {"day": 0}))
    expected = Counts(30, {"region": 4, "plan": 1}, {"tenant": 27, "day": 0})
    assert load_counts(cache, "usage", DIGEST) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"row_count": 1}',
        b'{"row_count": null, "null_counts": {}, "duplicate_keys": {}}',
        b'{"row_count": 1, "null_counts": [], "duplicate_keys": {}}',
        b'{"row_count": 1, "null_counts": {"a": "x"}, "duplicate_keys": {}}',
        b"[" * 100_000,
    ],
)
def test_numbers_that_make_no_sense_are_none(cache: Cache, content: bytes) -> None:
    """The snapshot is built, and counted, again; saving over them works."""
    path = cache.counts("usage", DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert load_counts(cache, "usage", DIGEST) is None
    save_counts(cache, "usage", DIGEST, Counts(1, {}))
    assert load_counts(cache, "usage", DIGEST) == Counts(1, {})


def test_a_build_counts_the_key_it_was_asked_for() -> None:
    """Without a key of the guards nothing is said of repeats."""
    guards = Guards(unique=("tenant", "day"))
    assert counts_of(guards, 3, {"day": 1}, 2) == Counts(3, {"day": 1}, {"tenant,day": 2})
    assert counts_of(Guards(), 3, {"day": 1}, None) == Counts(3, {"day": 1})


@pytest.mark.parametrize(
    ("guards", "is_enough"),
    [
        (Guards(), True),
        (Guards(min_rows=1, max_row_drop_percent=5, max_age_minutes=5), True),
        (Guards(not_null=("region",)), True),
        (Guards(not_null=("region", "plan")), False),
        (Guards(unique=("tenant", "day")), True),
        (Guards(unique=("day", "tenant")), False),
        (Guards(unique=("tenant",)), False),
    ],
)
def test_numbers_answer_the_guards_they_were_counted_for(guards: Guards, is_enough: bool) -> None:
    """A column or a key that was not counted needs a build."""
    counts = Counts(3, {"region": 0}, {"tenant,day": 0})
    assert counts.answers(guards) is is_enough


@pytest.mark.parametrize(
    ("guards", "previous", "now", "code"),
    [
        (Guards(min_rows=3), None, 0.0, None),
        (Guards(min_rows=4), None, 0.0, "too_few_rows"),
        (Guards(max_row_drop_percent=50), 6, 0.0, None),
        (Guards(max_row_drop_percent=50), 7, 0.0, "row_count_dropped"),
        (Guards(max_row_drop_percent=50), None, 0.0, None),
        (Guards(max_row_growth_percent=10), 0, 0.0, "row_count_grew"),
        (Guards(max_age_minutes=1), None, WATERMARK_SECONDS + 60, None),
        (Guards(max_age_minutes=1), None, WATERMARK_SECONDS + 61, "too_old"),
        (Guards(not_null=("region",)), None, 0.0, "null_values"),
        (Guards(unique=("tenant", "day")), None, 0.0, "duplicate_keys"),
    ],
)
def test_a_snapshot_that_breaks_a_guard_is_refused(
    manifest: Manifest, guards: Guards, previous: int | None, now: float, code: str | None
) -> None:
    """The same bounds as in the builder, from the numbers alone."""
    counts = Counts(3, {"region": 1}, {"tenant,day": 1})
    if code is None:
        refuse_unguarded(guards, manifest, counts, previous, now)
        return
    with pytest.raises(SnapshotRefused) as refused:
        refuse_unguarded(guards, manifest, counts, previous, now)
    assert refused.value.code == code


def test_every_broken_guard_is_told(manifest: Manifest) -> None:
    """One look at the message is enough to repair the snapshot."""
    counts = Counts(3, {"region": 1}, {})
    guards = Guards(min_rows=4, not_null=("region",))
    with pytest.raises(SnapshotRefused) as refused:
        refuse_unguarded(guards, manifest, counts, None, 0.0)
    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["too_few_rows", "null_values"]
