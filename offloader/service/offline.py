"""What is done to a cache volume while no instance uses it: clear it, put a snapshot away.

State files stay as they are, with pins and rolled-back snapshots: at its next start a service
finds the parts missing and has them built again.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.text_rules import nearest_hint
from offloader.errors import OffloaderError, SegmentCorrupt, StartError
from offloader.segment.layout import read_descriptor
from offloader.service.cache import CONTENT, DIGEST, Cache, files_in
from offloader.service.instance import read_state, starts_held_back, state_paths
from offloader.service.quarantine import Mark, is_mark, mark, put_away
from offloader.service.removal import Collected, Removal
from offloader.service.state import DatasetState
from offloader.service.volume import manifest_id, manifest_paths

_AT_ANY_AGE = float("-inf")


@dataclass(frozen=True, slots=True)
class Away:
    """What was put away: the marked snapshots' ids and manifest digests, the ids of parts."""

    snapshots: tuple[tuple[str, str], ...]
    parts: tuple[str, ...]


@contextmanager
def unused(cache: Cache) -> Iterator[None]:
    """Keep the volume to oneself; a service that starts meanwhile waits.

    Raises StartError: `cache_in_use` while an instance lives, `cache_busy`, `cache_not_writable`.
    """
    with starts_held_back(cache) as living:
        if living:
            numbers = ", ".join(map(str, living))
            hint = (
                "stop the service, or ask it: `offloader snapshot quarantine`, or"
                " `offloader snapshot rebuild`"
            )
            message = f"{cache.root}: a running service uses it (instance {numbers})"
            raise StartError("cache_in_use", message, hint)
        yield


def clear(cache: Cache, datasets: Iterable[str], *, with_quarantine: bool) -> Collected:
    """Remove built parts, kept manifests and, if asked, parts that were put away.

    Pins, states and the marks of snapshots stay. Call it within `unused`.
    """
    removal = Removal(cache.root, 0.0, _AT_ANY_AGE)
    folders = [Path(name) for name, _, _ in os.walk(cache.root / "rebuilding", topdown=False)]
    for dataset in datasets:
        folders += [cache.part(dataset, "x").parent, cache.manifest(dataset, "x").parent]
        if with_quarantine:
            folders.append(cache.quarantine_of(dataset))
    for folder in folders:
        _empty(folder, removal)
    return removal.result()


def quarantine_snapshot(
    cache: Cache, dataset: str, snapshot_id: str, reason: str, now: float, *, parts_only: bool
) -> Away:
    """Keep a snapshot from being served again, and put its parts away, also what is unreadable.

    An empty `snapshot_id` is the active one. `parts_only` marks nothing, so that the snapshot is
    built again; when no snapshot is known to be active, it takes every part. Call it within
    `unused`. Raises OffloaderError `unknown_snapshot`, SourceUnavailable.
    """
    found = _active(cache, dataset) if not snapshot_id else _of_id(cache, dataset, snapshot_id)
    if not found and (snapshot_id or not parts_only):
        known = sorted({name for name, _ in _snapshots(cache, dataset)})
        wanted = f"no snapshot {snapshot_id}" if snapshot_id else "no active snapshot"
        message = f"{wanted} of {dataset} is on this volume"
        raise OffloaderError("unknown_snapshot", message, nearest_hint(snapshot_id or None, known))
    if not parts_only:
        for name, digest in found:
            mark(cache, dataset, Mark(name, digest, reason, "command line", now))
    digests = {digest for _, digest in found}
    parts = [
        entry.name
        for entry in files_in(cache.part(dataset, "x").parent)
        if DIGEST.fullmatch(entry.name)
        and (not digests or _digest_of(Path(entry.path)) in {*digests, ""})
    ]
    marked = () if parts_only else tuple(sorted(found))
    return Away(marked, put_away(cache, dataset, parts, reason, now))


def _empty(folder: Path, removal: Removal) -> None:
    """Remove what was built, or put away, from a folder; never the mark of a snapshot."""
    try:
        removal.remove_temporaries(folder)
        for entry in files_in(folder):
            if CONTENT.fullmatch(entry.name) and not is_mark(entry.name):
                removal.remove(Path(entry.path))
        removal.remove_empty(folder)
    except OSError as error:
        removal.note(folder, error)


def _snapshots(cache: Cache, dataset: str) -> set[tuple[str, str]]:
    """Return id and manifest digest of every snapshot that a state or a kept manifest names."""
    kept = ((manifest_id(path), path.name) for path in manifest_paths(cache, dataset))
    found = {(name, digest) for name, digest in kept if name is not None}
    for known in _states(cache, dataset):
        found |= {(one.snapshot_id, one.manifest_digest) for one in known.snapshots()}
    return found


def _of_id(cache: Cache, dataset: str, snapshot_id: str) -> set[tuple[str, str]]:
    return {one for one in _snapshots(cache, dataset) if one[0] == snapshot_id}


def _active(cache: Cache, dataset: str) -> set[tuple[str, str]]:
    """Return the snapshot that is active in the state file of the lowest number."""
    for known in _states(cache, dataset):
        if known.active is not None:
            return {(known.active.snapshot_id, known.active.manifest_digest)}
    return set()


def _states(cache: Cache, dataset: str) -> list[DatasetState]:
    saved = (read_state(path) for path in state_paths(cache).values())
    return [one.datasets[dataset] for one in saved if one is not None and dataset in one.datasets]


def _digest_of(part: Path) -> str:
    """Return the digest of the manifest a part was built from, empty when it cannot be read."""
    try:
        with part.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
            return str(read_descriptor(mapping)["manifest_digest"])
    except (OSError, ValueError, KeyError, SegmentCorrupt):
        return ""
