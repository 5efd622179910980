"""What a segment says about the snapshot it was built from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """The identity of one snapshot of one dataset.

    `watermark` and `created_at` are microseconds since 1970-01-01T00:00:00Z, both from the
    manifest. `manifest_digest` is the xxh3-128 hex digest of the manifest's canonical JSON.
    """

    dataset: str
    snapshot_id: str
    manifest_digest: str
    watermark: int
    created_at: int
