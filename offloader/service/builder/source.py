"""The snapshot of a build job, opened wherever it lies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Dataset
from offloader.service.builder.progress import Progress
from offloader.service.cache import Cache
from offloader.service.downloads import download_folder
from offloader.sources.snapshot import SPOOL_BYTES, Snapshot, open_snapshot
from offloader.stores.access import Access
from offloader.stores.location import Location, parse_url
from offloader.stores.open import Stores

FREE_SHARE = 4  # files on their way take at most this part of the free disk, or one of them does


@dataclass(slots=True)
class Downloaded:
    """What was downloaded so far, and the seconds from the beginning until it was there."""

    progress: Progress = field(default_factory=Progress)
    size_bytes: int = 0
    seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def add(self, size_bytes: int) -> None:
        """Take note of a file that arrived."""
        self.size_bytes += size_bytes
        self.seconds = time.monotonic() - self.began


def manifest_at(job: Mapping[str, Any]) -> Location:
    """Return where the manifest of a job lies: an absolute path or a URL."""
    text = job["manifest_at"]
    return parse_url(text) if "://" in text else Location("file", "/", text.removeprefix("/"))


@contextmanager
def opened_source(
    job: Mapping[str, Any], manifest: Manifest, dataset: Dataset, downloaded: Downloaded
) -> Iterator[Snapshot]:
    """Open a job's snapshot; what it downloads lies on the cache volume until the block ends.

    Raises as `open_snapshot`, OSError when the cache volume cannot be written.
    """
    cache, at = Cache(Path(job["cache"])), manifest_at(job)
    cache.sweep([dataset.id])  # what a killed builder left
    with download_folder(cache.downloads) as spool:
        yield open_snapshot(
            manifest,
            at,
            dataset,
            stores=_stores(Access.from_document(job.get("access", {}))),
            root=None if at.is_remote else Path(job["root"]),
            spool=spool,
            spool_bytes=min(SPOOL_BYTES, cache.free_bytes() // FREE_SHARE),
            threads=job["threads"],
            on_download=downloaded.add,
            on_bytes=downloaded.progress.add_bytes,
        )


@lru_cache(maxsize=1)
def _stores(access: Access) -> Stores:
    """Keep stores open from job to job: their connections and their tokens."""
    return Stores(access)
