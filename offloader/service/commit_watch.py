"""Watch folders of Databricks output: their newest commits, and the manifests made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from offloader.catalog.model import Dataset
from offloader.catalog.types import Kind
from offloader.errors import SnapshotRefused
from offloader.service.builder.describe import describe_job
from offloader.service.project import source_folder
from offloader.sources.databricks import Commit, newest_commit
from offloader.stores.access import Access
from offloader.stores.open import Stores

REFUSED_SECONDS = 600.0
_MOST_FOLDERS = 10_000
_MOST_MARKERS = 64

Describe = Callable[[Mapping[str, Any]], bytes]


@dataclass(slots=True)
class _Folder:
    """What is remembered of one folder: when a marker's version was first seen, among others."""

    newest: Commit | None = None
    refused: tuple[str, SnapshotRefused, float] | None = None
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)


class CommitWatch:
    """Looks at folders and remembers what it saw. Any thread may use it.

    `describe` has the manifest of a commit made, in a process of its own. `clock` tells seconds
    since any moment: for how long a marker is half written, or a file missing, is counted by it.
    """

    def __init__(
        self, stores: Stores, access: Access, clock: Callable[[], float], describe: Describe
    ) -> None:
        self._stores = stores
        self._access = access
        self._clock = clock
        self._describe = describe
        self._folders: dict[str, _Folder] = {}
        self._lock = Lock()

    def newest(self, dataset: Dataset) -> Commit:
        """Return the newest commit in the folder a dataset's `source` names.

        Raises as `newest_commit` does.
        """
        place = source_folder(dataset)
        folder = self._folder(dataset)
        folder.newest = newest_commit(
            self._stores.at(place),
            place.key,
            known=folder.newest,
            waited_seconds=lambda marker: self._waited_seconds(folder, marker.key, marker.version),
        )
        return folder.newest

    def manifest(self, dataset: Dataset, commit: Commit) -> bytes:
        """Have the manifest of a commit made; raises SnapshotRefused, SourceUnavailable.

        What was refused is not tried again for ten minutes.
        """
        folder, version = self._folder(dataset), f"{dataset.id} {commit.key} {commit.version}"
        if folder.refused is not None:
            refused_version, refusal, refused_at = folder.refused
            if refused_version == version and self._clock() - refused_at < REFUSED_SECONDS:
                raise refusal.with_traceback(None)  # or it would grow with each raise
        waited_seconds = self._waited_seconds(folder, commit.key, commit.version)
        json_columns = (one.name for one in dataset.columns if one.type.kind is Kind.JSON)
        job = describe_job(
            dataset.id,
            source_folder(dataset),
            commit,
            self._access,
            json_columns=tuple(json_columns),
            waited_seconds=waited_seconds,
        )
        try:
            return self._describe(job)
        except SnapshotRefused as refusal:
            folder.refused = version, refusal, self._clock()
            raise

    def _folder(self, dataset: Dataset) -> _Folder:
        place = str(source_folder(dataset))
        with self._lock:
            if len(self._folders) >= _MOST_FOLDERS and place not in self._folders:
                self._folders.clear()
            return self._folders.setdefault(place, _Folder())

    def _waited_seconds(self, folder: _Folder, key: str, version: str) -> float:
        """Return for how long a marker has been seen as it is now."""
        now = self._clock()
        with self._lock:
            seen_version, since = folder.seen.get(key, (version, now))
            if seen_version != version:
                since = now
            folder.seen[key] = version, since
            while len(folder.seen) > _MOST_MARKERS:
                del folder.seen[next(iter(folder.seen))]
        return now - since
