"""Decide what a published snapshot means for a dataset. Pure.

    served          it is what is served already
    pinned          the dataset stays on another one
    rolled_back     it was served and found bad; a newer one must appear
    quarantined     an operator put it away
    (none)          it may be built and served

Refused for good: `watermark_older`, `snapshot_id_reused`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from offloader.catalog.manifest import Manifest
from offloader.errors import SnapshotRefused
from offloader.service.state import DatasetState

REFUSALS = frozenset({"watermark_older", "snapshot_id_reused"})
Stay = Literal["served", "pinned", "rolled_back", "quarantined"]


def judge(
    known: DatasetState, manifest: Manifest, *, pin: str, quarantined: Collection[str]
) -> Stay | None:
    """Return why a dataset stays as it is, None when this snapshot is to be served.

    `pin` is the id of the snapshot the dataset is to stay on, empty for none; `quarantined` are
    digests of manifests. Raises SnapshotRefused.
    """
    if known.active is not None and known.active.manifest_digest == manifest.digest:
        return "served"
    if pin and pin != manifest.snapshot_id:
        return "pinned"
    if known.accepted == manifest.digest:
        return None
    away = needs_accept(known, manifest.digest, quarantined)
    if away is not None:
        return away
    _refuse_reused_id(known, manifest)
    if not pin:
        _refuse_older(known, manifest)
    return None


def needs_accept(known: DatasetState, digest: str, quarantined: Collection[str]) -> Stay | None:
    """Return why serving this snapshot needs an operator's word, None when it does not."""
    if digest in quarantined:
        return "quarantined"
    if digest in {snapshot.manifest_digest for snapshot in known.rolled_back}:
        return "rolled_back"
    return None


def _refuse_reused_id(known: DatasetState, manifest: Manifest) -> None:
    for snapshot in known.snapshots():
        is_other = snapshot.manifest_digest != manifest.digest
        if snapshot.snapshot_id == manifest.snapshot_id and is_other:
            message = f"the id {manifest.snapshot_id} was published before with other content"
            hint = "give every snapshot an id of its own"
            raise SnapshotRefused("snapshot_id_reused", message, hint)


def _refuse_older(known: DatasetState, manifest: Manifest) -> None:
    active = known.active
    if active is None:
        return
    if (manifest.watermark, manifest.created_at) < (active.watermark, active.created_at):
        message = f"it is older than the served snapshot {active.snapshot_id}"
        hint = "publish a newer one; to go back on purpose, roll back or pin the dataset"
        raise SnapshotRefused("watermark_older", message, hint)
