"""Open the newest snapshot of a dataset without a service: from a cache, or built for the moment.

A cache is only read, also while a service uses it; what is missing there is built elsewhere.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from offloader.catalog.compatibility import check_schema
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Dataset
from offloader.errors import SnapshotRefused
from offloader.segment.read import Segment, open_segment
from offloader.service.builder.describe import run_describe
from offloader.service.builder.job import run_build
from offloader.service.cache import Cache
from offloader.service.generation_document import plan_parts
from offloader.service.lookout import Lookout
from offloader.service.project import Project, manifest_location
from offloader.stores.access import Access

BUILD_LIMIT_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class OpenedDataset:
    """A snapshot's manifest and its segment; `is_built` when it was not in the cache."""

    manifest: Manifest
    segment: Segment
    is_built: bool


def open_dataset(
    project: Project,
    dataset: Dataset,
    cache: Cache | None,
    scratch: Path,
    access: Access,
    *,
    threads: int,
    on_build: Callable[[Manifest], None] = lambda _: None,
) -> OpenedDataset:
    """Open the snapshot that a dataset's manifest names now, under the project's contract.

    Its parts come from `cache` when all of them are there, else they are built below the folder
    `scratch`, as a service would; `on_build` is called before that. They are mapped: the folder may
    go once it is open. Raises SnapshotRefused and SourceUnavailable, SegmentCorrupt.
    """
    made = Cache(scratch)
    lookout = Lookout(made, access, partial(run_describe, limit_seconds=BUILD_LIMIT_SECONDS))
    published = lookout.look(project, dataset)
    manifest = published.manifest
    if problems := check_schema(manifest, dataset):
        raise SnapshotRefused.of(problems)
    part_ids = plan_parts(project.catalog, dataset.id, manifest).part_ids
    if cache is not None:
        with suppress(OSError, ValueError):  # not there, not readable, or empty
            return OpenedDataset(manifest, _opened(cache, dataset.id, part_ids), is_built=False)
    on_build(manifest)
    job = {
        "documents": project.documents,
        "dataset": dataset.id,
        "cache": str(scratch),
        "target": str(scratch),
        "root": str(project.root),
        "manifest_at": str(manifest_location(project, dataset)),
        "access": access.as_document(),
        "manifest_copy": str(published.copy),
        "previous_row_count": None,
        "was_served": True,  # an old snapshot can be looked into as well
        "threads": threads,
    }
    run_build(job, limit_seconds=BUILD_LIMIT_SECONDS)
    return OpenedDataset(manifest, _opened(made, dataset.id, part_ids), is_built=True)


def _opened(cache: Cache, dataset: str, part_ids: Sequence[str]) -> Segment:
    """Map parts and open them; raises OSError when one is not there, ValueError when empty."""
    parts = []
    for part_id in part_ids:
        with cache.part(dataset, part_id).open("rb") as file:
            parts.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    return open_segment(parts[0], parts[1:])
