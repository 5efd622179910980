"""What lies on a cache volume: instances, datasets, parts. Nothing here changes it."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.manifest import MAX_MANIFEST_BYTES, parse_manifest
from offloader.errors import SegmentCorrupt, SnapshotError
from offloader.segment.layout import SLICE_BYTES, verify
from offloader.service.cache import DIGEST, Cache, files_in
from offloader.service.instance import hosts, occupied, read_state, state_path, state_paths
from offloader.service.lease import seen_leases
from offloader.service.quarantine import Mark, PutAway, marks, put_away_parts
from offloader.service.state import DatasetState, Saved


@dataclass(frozen=True, slots=True)
class SeenInstance:
    """A slot that was claimed or has a state file.

    `saved` is None when the state file cannot be read; `touched_at` is seconds since the epoch, 0
    without a state file.
    """

    number: int
    is_running: bool
    host: str
    touched_at: float
    saved: Saved | None


@dataclass(frozen=True, slots=True)
class SeenPart:
    """A part in its place; `is_needed` tells whether a state file or a lease names it."""

    part_id: str
    size_bytes: int
    is_needed: bool


@dataclass(frozen=True, slots=True)
class SeenDataset:
    """One dataset on the volume. `missing` are parts that are needed and not there.

    `states` is what each instance knows of it.
    """

    name: str
    parts: tuple[SeenPart, ...]
    missing: tuple[str, ...]
    states: Mapping[int, DatasetState]
    marked: tuple[Mark, ...]
    put_away: tuple[PutAway, ...]


@dataclass(frozen=True, slots=True)
class SeenVolume:
    """A cache volume at one moment."""

    free_bytes: int
    instances: tuple[SeenInstance, ...]
    datasets: tuple[SeenDataset, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not what was written; `file` is its path below the volume."""

    file: str
    reason: str


def survey(cache: Cache) -> SeenVolume:
    """Look at everything but the content of the parts; raises OSError, StartError."""
    instances = _instances(cache)
    leased = {name for one in seen_leases(cache) if one.is_held for name in one.needs or ()}
    names = known_datasets(cache)
    datasets = tuple(_dataset(cache, name, instances, leased) for name in names)
    return SeenVolume(cache.free_bytes(), instances, datasets)


def known_datasets(cache: Cache) -> list[str]:
    """Return the datasets that a folder or a state file names; raises OSError."""
    saved = (read_state(path) for path in state_paths(cache).values())
    stated = {name for one in saved if one is not None for name in one.datasets}
    return sorted(stated.union(cache.datasets()))


def verify_volume(
    cache: Cache, volume: SeenVolume, on_file: Callable[[int, int, str], None]
) -> tuple[Damage, ...]:
    """Compare every part, manifest and state file with what it must be; return what is damaged.

    `on_file` is called after each part with how many are done, how many there are, and its path.
    """
    unread = [one.number for one in volume.instances if one.saved is None]
    found = [Damage(state_path(cache, n).name, "it cannot be understood") for n in unread]
    paths = [cache.part(d.name, p.part_id) for d in volume.datasets for p in d.parts]
    for done, path in enumerate(paths, 1):
        name = str(path.relative_to(cache.root))
        if reason := _part_damage(path):
            found.append(Damage(name, reason))
        on_file(done, len(paths), name)
    for dataset in volume.datasets:
        for path in manifest_paths(cache, dataset.name):
            if manifest_id(path) is None:
                found.append(Damage(str(path.relative_to(cache.root)), "it is not what it was"))
    return tuple(found)


def manifest_paths(cache: Cache, dataset: str) -> list[Path]:
    """Return the kept manifests of a dataset; raises OSError."""
    entries = files_in(cache.manifest(dataset, "x").parent)
    return [Path(entry.path) for entry in entries if DIGEST.fullmatch(entry.name)]


def manifest_id(path: Path) -> str | None:
    """Return the snapshot id of a kept manifest, None when it is not what its name says."""
    try:
        with path.open("rb") as file:
            manifest = parse_manifest(file.read(MAX_MANIFEST_BYTES + 1), path.name)
    except (OSError, SnapshotError):
        return None
    return manifest.snapshot_id if manifest.digest == path.name else None


def _instances(cache: Cache) -> tuple[SeenInstance, ...]:
    living, claimed, states = occupied(cache), hosts(cache), state_paths(cache)
    found = []
    for number in sorted({*claimed, *states}):
        path = states.get(number)
        saved = Saved() if path is None else read_state(path)
        touched_at = 0.0 if path is None else _touched_at(path)
        host = claimed.get(number, "")
        found.append(SeenInstance(number, number in living, host, touched_at, saved))
    return tuple(found)


def _touched_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _dataset(
    cache: Cache, name: str, instances: tuple[SeenInstance, ...], leased: set[str]
) -> SeenDataset:
    saved = {one.number: one.saved for one in instances if one.saved is not None}
    held = {i for one in saved.values() if name in one.holds for i in one.holds[name].parts}
    parts = tuple(
        SeenPart(entry.name, entry.stat(follow_symlinks=False).st_size, entry.name in held | leased)
        for entry in files_in(cache.part(name, "x").parent)
        if DIGEST.fullmatch(entry.name)
    )
    return SeenDataset(
        name,
        parts,
        tuple(sorted(held - {part.part_id for part in parts})),
        {number: one.datasets[name] for number, one in saved.items() if name in one.datasets},
        marks(cache, name),
        put_away_parts(cache, name),
    )


def _part_damage(path: Path) -> str:
    """Return what is wrong with a part, empty when nothing is or it is gone meanwhile."""
    try:
        with path.open("rb") as file:
            # A disk error is an exception here; through a mapping it would end the process.
            while file.read(SLICE_BYTES):
                pass
            if file.tell() == 0:
                return "the file is empty"
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
                verify(mapping)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except SegmentCorrupt as error:
        return error.message
    return ""
