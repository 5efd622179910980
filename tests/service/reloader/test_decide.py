"""Decide: what a published snapshot means for what is known of a dataset."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.errors import SnapshotRefused
from offloader.service.reloader.decide import judge, needs_accept
from offloader.service.state import DatasetState, Snapshot
from tests.snapshots import manifest_document


def snapshot(snapshot_id: str, minutes: int) -> Manifest:
    """Return the manifest of a snapshot whose data is of this minute."""
    time = f"2026-06-01T00:{minutes:02}:00Z"
    document = manifest_document("usage", [("id", "BIGINT")], [], watermark=time)
    content = {**document, "snapshot_id": snapshot_id, "created_at": time}
    return parse_manifest(json.dumps(content).encode(), "manifest.json")


OLDER, ACTIVE, NEWER = snapshot("s1", 1), snapshot("s2", 2), snapshot("s3", 3)
KNOWN = DatasetState(Snapshot.of(ACTIVE), Snapshot.of(OLDER))
ROLLED_BACK = DatasetState(Snapshot.of(OLDER), rolled_back=(Snapshot.of(ACTIVE),))


def judged(
    known: DatasetState, manifest: Manifest, pin: str = "", away: tuple[Manifest, ...] = ()
) -> str | None:
    return judge(known, manifest, pin=pin, quarantined={one.digest for one in away})


def refused(known: DatasetState, manifest: Manifest, pin: str = "") -> str:
    with pytest.raises(SnapshotRefused) as refusal:
        judged(known, manifest, pin)
    assert refusal.value.hint
    return refusal.value.code


def test_the_first_and_every_newer_snapshot_is_to_be_served() -> None:
    """Nothing speaks against it."""
    assert judged(DatasetState(), OLDER) is None
    assert judged(KNOWN, NEWER) is None


def test_what_is_served_is_not_built_again() -> None:
    """Whatever else is known of it: it is told, and nothing is to be done."""
    assert judged(KNOWN, ACTIVE) == "served"
    assert judged(KNOWN, ACTIVE, pin="s1") == "served"
    assert judged(KNOWN, ACTIVE, away=(ACTIVE,)) == "served"


def test_a_pinned_dataset_follows_its_source_no_longer() -> None:
    """Only the snapshot it is pinned to may come, also an older one."""
    assert judged(KNOWN, NEWER, pin="s2") == "pinned"
    assert judged(KNOWN, NEWER, pin="s3") is None
    assert judged(KNOWN, OLDER, pin="s1") is None


def test_what_was_rolled_back_or_quarantined_stays_away() -> None:
    """Until an operator accepts it; a pin is no word of an operator's on what was found bad."""
    assert judged(ROLLED_BACK, ACTIVE) == "rolled_back"
    assert judged(ROLLED_BACK, ACTIVE, pin="s2") == "rolled_back"
    assert judged(ROLLED_BACK, ACTIVE, away=(ACTIVE,)) == "quarantined"
    assert judged(KNOWN, NEWER, away=(NEWER,)) == "quarantined"
    assert judged(KNOWN, NEWER, pin="s3", away=(NEWER,)) == "quarantined"
    assert judged(ROLLED_BACK, NEWER, away=(ACTIVE,)) is None


def test_what_an_operator_accepts_comes_whatever_is_known_of_it() -> None:
    """Rolled back, quarantined or older; but not against a pin on another one."""
    accepted = ROLLED_BACK.accepting(ACTIVE.digest)
    assert judged(accepted, ACTIVE) is None
    assert judged(replace(ROLLED_BACK, accepted=ACTIVE.digest), ACTIVE) is None
    assert judged(accepted, ACTIVE, away=(ACTIVE,)) is None
    assert judged(KNOWN.accepting(OLDER.digest), OLDER) is None
    assert judged(accepted, ACTIVE, pin="s1") == "pinned"
    assert judged(accepted, NEWER, away=(NEWER,)) == "quarantined"


def test_older_data_is_refused() -> None:
    """By watermark, then by the time of creation; equal is not older."""
    known = DatasetState(active=Snapshot.of(ACTIVE))
    assert refused(known, OLDER) == "watermark_older"
    by_watermark = replace(OLDER, created_at=NEWER.created_at)
    assert refused(known, by_watermark) == "watermark_older"
    by_creation = replace(OLDER, watermark=ACTIVE.watermark)
    assert refused(known, by_creation) == "watermark_older"
    same_age = replace(NEWER, watermark=ACTIVE.watermark, created_at=ACTIVE.created_at)
    assert judged(known, same_age) is None


def test_an_id_that_comes_again_with_other_content_is_refused() -> None:
    """Of the active, the previous, and of every snapshot that was rolled back; pinned or not."""
    known = DatasetState(
        Snapshot.of(ACTIVE), Snapshot.of(OLDER), rolled_back=(Snapshot.of(snapshot("s0", 0)),)
    )
    for snapshot_id in ("s0", "s1", "s2"):
        again = snapshot(snapshot_id, 9)
        assert refused(known, again) == "snapshot_id_reused"
        assert refused(known, again, pin=snapshot_id) == "snapshot_id_reused"
    assert judged(known, snapshot("s9", 9)) is None


def test_why_an_operators_word_is_needed() -> None:
    """Quarantine goes before rollback, as it is the stronger word."""
    assert needs_accept(KNOWN, ACTIVE.digest, ()) is None
    assert needs_accept(ROLLED_BACK, ACTIVE.digest, ()) == "rolled_back"
    assert needs_accept(ROLLED_BACK, ACTIVE.digest, {ACTIVE.digest}) == "quarantined"
    assert needs_accept(ROLLED_BACK, OLDER.digest, {ACTIVE.digest}) is None
