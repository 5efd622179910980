"""Choose which snapshot a dataset is to serve: what an operator, a pin or the source names.

When that one cannot be served, another may have to be: while a new contract waits the active
snapshot is brought under it, and a dataset that lost its parts goes on with what it had.
"""

from __future__ import annotations

from contextlib import suppress

from offloader.catalog.compatibility import check_schema
from offloader.errors import SnapshotError, SnapshotRefused, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.generation_document import kept_manifest
from offloader.service.lookout import Lookout, Published, find_kept
from offloader.service.reloader.attempts import Judged
from offloader.service.reloader.decide import judge, needs_accept
from offloader.service.reloader.task import Task
from offloader.service.state import Snapshot


def choose(task: Task, lookout: Lookout) -> Published | str:
    """Return the snapshot to serve, or why there is none.

    Raises SnapshotRefused and SourceUnavailable.
    """
    cache = lookout.cache
    if task.target is not None:
        return _newer(task, lookout) or kept(task, cache, task.target)
    instead = _instead(task)
    try:
        chosen = _named(task, lookout)
    except SnapshotError as error:
        is_cold = task.known.active is None
        if instead is None or (is_cold and isinstance(error, SourceUnavailable)):
            raise
        if not _fits(task, cache, instead):
            raise
        return kept(task, cache, instead)
    if instead is None:
        return chosen
    if isinstance(chosen, str):
        return kept(task, cache, instead)
    is_bad = _has_failed(task, chosen) or bool(check_schema(chosen.manifest, task.dataset))
    return kept(task, cache, instead) if is_bad and _fits(task, cache, instead) else chosen


def kept(task: Task, cache: Cache, snapshot: Snapshot) -> Published:
    """Return a remembered snapshot as one that can be built; raises SourceUnavailable."""
    digest = snapshot.manifest_digest
    manifest = kept_manifest(cache, task.name, digest)
    if manifest is None:
        message = f"the manifest of {snapshot.snapshot_id} is no longer in the cache"
        raise SourceUnavailable("manifest_not_kept", message, "publish that snapshot again")
    return Published(manifest, cache.manifest(task.name, digest))


def _named(task: Task, lookout: Lookout) -> Published | str:
    """Return what a pin names, else what the source does, or why that is not to be served."""
    active = task.known.active
    is_elsewhere = bool(task.pin) and (active is None or active.snapshot_id != task.pin)
    pinned = _pinned(task, lookout.cache) if is_elsewhere else None
    if pinned is not None:
        digest = pinned.manifest.digest
        is_accepted = digest == task.known.accepted
        return (not is_accepted and needs_accept(task.known, digest, task.quarantined)) or pinned
    published = lookout.look(task.project, task.dataset)
    manifest = published.manifest
    try:
        verdict = judge(task.known, manifest, pin=task.pin, quarantined=task.quarantined)
    except SnapshotRefused as refusal:
        raise Judged(refusal, manifest) from refusal
    if verdict == "pinned" and is_elsewhere:
        message = "the pinned snapshot is neither in the cache nor published"
        hint = "publish that snapshot again, or remove the pin"
        raise SourceUnavailable("pinned_snapshot_missing", message, hint)
    return verdict or published


def _newer(task: Task, lookout: Lookout) -> Published | None:
    """Return what the source has, where it makes going back needless, and nobody waits for that."""
    if task.is_asked:
        return None
    with suppress(SnapshotError):
        named = _named(task, lookout)
        return None if isinstance(named, str) or _has_failed(task, named) else named
    return None


def _pinned(task: Task, cache: Cache) -> Published | None:
    """Return the snapshot of the pinned id: only the one that was served under it, if one was."""
    served = [one.manifest_digest for one in task.known.snapshots() if one.snapshot_id == task.pin]
    for digest in served:
        manifest = kept_manifest(cache, task.name, digest)
        if manifest is not None:
            return Published(manifest, cache.manifest(task.name, digest))
    return None if served else find_kept(cache, task.name, task.pin)


def _instead(task: Task) -> Snapshot | None:
    """Return what to serve when nothing else can be: None where what is served may go on."""
    known = task.known
    if known.active is not None:
        return known.active if task.is_pending else None
    snapshot = known.previous
    if snapshot is None or needs_accept(known, snapshot.manifest_digest, task.quarantined):
        return None
    return snapshot


def _has_failed(task: Task, chosen: Published) -> bool:
    tried = task.known.attempt
    is_same = tried.manifest_digest == chosen.manifest.digest
    return bool(tried.code) and is_same and not task.is_asked


def _fits(task: Task, cache: Cache, snapshot: Snapshot) -> bool:
    manifest = kept_manifest(cache, task.name, snapshot.manifest_digest)
    return manifest is not None and not check_schema(manifest, task.dataset)
