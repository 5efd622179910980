"""What tests of a cache volume need: parts, states and leases of known ids and ages."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from offloader.segment.part_writer import PartWriter
from offloader.service.cache import Cache, write_whole
from offloader.service.collect import collect
from offloader.service.instance import state_path
from offloader.service.removal import Collected
from offloader.service.state import DatasetState, Held, Saved, Snapshot, save_state

NOW_SECONDS = 1_800_000_000.0
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
NOTHING = Collected()


def digest(number: int) -> str:
    """Return an id of a part, or a digest of a manifest."""
    return f"{number:032x}"


def prepared(root: Path) -> Cache:
    """Return a cache volume with its folders."""
    cache = Cache(root)
    cache.prepare()
    return cache


def aged(path: Path, seconds: float = HOUR_SECONDS) -> Path:
    """Let a file have been written this long before NOW_SECONDS."""
    os.utime(path, (NOW_SECONDS - seconds, NOW_SECONDS - seconds), follow_symlinks=False)
    return path


def written(path: Path, content: bytes = b"content", *, seconds: float = HOUR_SECONDS) -> Path:
    """Write a file that is this old."""
    write_whole(path, content)
    return aged(path, seconds)


def write_part(cache: Cache, dataset: str, part_id: str, manifest_digest: str = "") -> Path:
    """Write a small sound part that names the manifest it was built from."""
    path = cache.part(dataset, part_id)
    with PartWriter(path) as part:
        part.add("values", np.arange(int(part_id[-4:], 16) % 1000 + 1, dtype=np.int64))
        part.finish({"manifest_digest": manifest_digest})
    return path


def snapshot(number: int) -> Snapshot:
    """Return the snapshot `s<number>` whose manifest digest is that of the number."""
    return Snapshot(f"s{number}", digest(number), 0, 0, 1)


def save_holding(
    path: Path, dataset: str, parts: Iterable[str], manifests: Iterable[str] = ()
) -> Path:
    """Write a state file, an hour old, that holds these files of one dataset."""
    held = Held(tuple(parts), tuple(manifests))
    save_state(path, Saved({dataset: DatasetState()}, {}, {dataset: held}))
    return aged(path)


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def collected(cache: Cache, **holds: Held) -> Collected:
    """Collect as instance 0."""
    return collect(cache, holds, cache.root / "state.json", NOW_SECONDS)


def parts(cache: Cache, *numbers: int, seconds: float = HOUR_SECONDS) -> list[Path]:
    """Write parts of the dataset usage that are this old."""
    paths = [cache.part("usage", digest(number)) for number in numbers]
    return [written(path, seconds=seconds) for path in paths]


def left(cache: Cache) -> set[str]:
    """Return the parts of the dataset usage that are left."""
    folder = cache.part("usage", "x").parent
    return names(folder) if folder.exists() else set()


def served_volume(root: Path) -> Cache:
    """Return a volume on which s2 of the dataset usage is served, pinned; s1 was before.

    Part 10 is of s1, 20 and 21 are of s2; 22 is held and not there.
    """
    cache = prepared(root)
    for number, of in ((10, 1), (20, 2), (21, 2)):
        write_part(cache, "usage", digest(number), digest(of))
    known = DatasetState(snapshot(2), snapshot(1), pin="s2", rolled_back=(snapshot(3),))
    held = Held((digest(20), digest(21), digest(22)), (digest(2),))
    save_state(state_path(cache, 0), Saved({"usage": known}, {}, {"usage": held}))
    return cache
