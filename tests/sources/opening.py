"""Open snapshots as the builder does, without a cache."""

from __future__ import annotations

from pathlib import Path

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Dataset
from offloader.sources.snapshot import Snapshot, open_snapshot
from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.open import Stores


def open_local(
    manifest: Manifest, path: Path, dataset: Dataset, *, root: Path, threads: int = 1
) -> Snapshot:
    """Open the snapshot whose manifest lies at `path` in a project's folder `root`."""
    return open_snapshot(
        manifest,
        Location("file", str(path.parent), path.name),
        dataset,
        stores=Stores(Access()),
        root=root,
        spool=root / "spool",
        threads=threads,
    )
