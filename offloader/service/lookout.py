"""Look at a dataset's source: read its manifest, check it, keep a copy.

What is behind a network is asked for its version first, and read only when that is another.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.compatibility import check_schema
from offloader.catalog.manifest import (
    MAX_MANIFEST_BYTES,
    Manifest,
    ManifestInvalid,
    parse_manifest,
)
from offloader.catalog.model import Dataset
from offloader.errors import Problem, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.commit_watch import CommitWatch, Describe
from offloader.service.generation_document import kept_manifest
from offloader.service.project import Project, manifest_location
from offloader.sources.databricks import Commit
from offloader.sources.manifest_file import read_manifest
from offloader.stores.access import Access
from offloader.stores.download import ObjectTooLarge, read_found, read_whole
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectChanged, ObjectMissing, StoredObject

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Published:
    """A snapshot that can be built: its manifest, and where the kept copy of it lies."""

    manifest: Manifest
    copy: Path


class Lookout:
    """Looks at sources. Any thread may use it.

    `describe` has the manifest of a Databricks commit made, in a process of its own.
    """

    def __init__(self, cache: Cache, access: Access, describe: Describe) -> None:
        self.cache = cache
        self.access = access
        self._stores = Stores(access)
        self._commits = CommitWatch(self._stores, access, time.monotonic, describe)
        # By dataset the version its source had, and the digest of the manifest that was in it.
        self._seen: dict[str, tuple[str, str]] = {}

    def look(self, project: Project, dataset: Dataset) -> Published:
        """Read and check a dataset's current manifest, whatever its snapshot is worth.

        Raises SourceUnavailable, or SnapshotRefused when it is no manifest of this dataset.
        """
        location = manifest_location(project, dataset)
        if dataset.source is not None:
            return self._look_at_commits(dataset, location)
        if not location.is_remote:
            return self._keep(dataset, location, read_manifest(Path(str(location))))
        store = self._stores.at(location)
        try:
            found = store.stat(location.key)
            known = self._known(dataset, _version(location, found))
            if known is not None:
                return known
            try:
                raw = read_found(store, found, MAX_MANIFEST_BYTES)
            except ObjectChanged:
                found, raw = read_whole(store, location.key, MAX_MANIFEST_BYTES)
        except ObjectMissing:
            message, hint = (
                f"{location.shown} does not exist",
                "publish a snapshot, or check the URL",
            )
            raise SourceUnavailable("manifest_missing", message, hint) from None
        except ObjectTooLarge as error:
            hint = f"a manifest is at most {MAX_MANIFEST_BYTES} bytes: publish fewer, larger files"
            problem = Problem(location.name, "", "manifest_too_large", error.message, hint)
            raise ManifestInvalid([problem]) from None
        return self._keep(dataset, location, raw, _version(location, found))

    def _look_at_commits(self, dataset: Dataset, location: Location) -> Published:
        commit = self._commits.newest(dataset)
        version = f"{location} {commit.key} {commit.version}"
        known = self._known(dataset, version) or self._described(dataset, commit, version)
        if known is not None:
            return known
        return self._keep(dataset, location, self._commits.manifest(dataset, commit), version)

    def _described(self, dataset: Dataset, commit: Commit, version: str) -> Published | None:
        """Return the manifest that was made of a commit before this process began, None if none.

        To make it again would take the commit's files, and by now they may be gone.
        """
        kept = find_kept(self.cache, dataset.id, commit.snapshot_id)
        if kept is None or kept.manifest.watermark != commit.microseconds:
            return None
        if check_schema(kept.manifest, dataset):
            return None
        self._seen[dataset.id] = version, kept.manifest.digest
        return self._known(dataset, version)

    def _known(self, dataset: Dataset, version: str) -> Published | None:
        """Return what was read of this version before, None when it was not or is gone."""
        seen_version, digest = self._seen.get(dataset.id, ("", ""))
        if seen_version != version:
            return None
        manifest = kept_manifest(self.cache, dataset.id, digest)
        if manifest is None:
            return None
        return Published(manifest, self.cache.touch_manifest(dataset.id, digest))

    def _keep(
        self, dataset: Dataset, location: Location, raw: bytes, version: str = ""
    ) -> Published:
        manifest = parse_manifest(raw, location.name)
        copy = self.cache.keep_manifest(dataset.id, manifest.digest, raw)
        if version:
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen[dataset.id] = version, manifest.digest
        return Published(manifest, copy)


def _version(location: Location, found: StoredObject) -> str:
    return f"{location} {found.version}"


def find_kept(cache: Cache, dataset: str, snapshot_id: str) -> Published | None:
    """Return the snapshot of this id whose manifest is kept, None when there is none."""
    folder = cache.manifest(dataset, "x").parent
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        manifest = kept_manifest(cache, dataset, path.name)
        if manifest is not None and manifest.snapshot_id == snapshot_id:
            return Published(manifest, path)
    return None
