"""Look at a dataset's source: read its manifest, check it, keep a copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Dataset
from offloader.service.cache import Cache
from offloader.service.generation_document import kept_manifest
from offloader.service.project import Project, manifest_path
from offloader.sources.manifest_file import read_manifest


@dataclass(frozen=True, slots=True)
class Published:
    """A snapshot that can be built: its manifest, and where the kept copy of it lies."""

    manifest: Manifest
    copy: Path


def look(project: Project, dataset: Dataset, cache: Cache) -> Published:
    """Read and check a dataset's current manifest, whatever its snapshot is worth.

    Raises SourceUnavailable, or SnapshotRefused when it is no manifest of this dataset.
    """
    path = manifest_path(project, dataset)
    raw = read_manifest(path)
    manifest = parse_manifest(raw, path.name)
    return Published(manifest, cache.keep_manifest(dataset.id, manifest.digest, raw))


def find_kept(cache: Cache, dataset: str, snapshot_id: str) -> Published | None:
    """Return the snapshot of this id whose manifest is kept, None when there is none."""
    folder = cache.manifest(dataset, "x").parent
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        manifest = kept_manifest(cache, dataset, path.name)
        if manifest is not None and manifest.snapshot_id == snapshot_id:
            return Published(manifest, path)
    return None
