"""Where a watched project is read from: a folder, or a prefix of a bucket.

In a folder content is compared, not times: a ConfigMap is mounted by swapping a symlink, and an
editor may keep times. In a bucket one list says whether anything changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from offloader.catalog.documents import load_catalog
from offloader.catalog.project import PROJECT_FILE
from offloader.catalog.project_files import fingerprint
from offloader.errors import ConfigError, SourceUnavailable
from offloader.service import log
from offloader.service.config.fetch import fetch, list_project
from offloader.service.config.revisions import Revision, Revisions, write_files
from offloader.service.config.selection import Layout, layout_of
from offloader.service.config.selection import fingerprint as fingerprint_of
from offloader.service.project import Project
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectStore

SETTLE_SECONDS = 0.2
BUCKET_SETTLE_SECONDS = 1.0


class FolderSource:
    """A project in a folder, named by it or by its offloader.yml."""

    def __init__(self, location: Path, *, settle_seconds: float = SETTLE_SECONDS) -> None:
        self.settle_seconds = settle_seconds
        self._location = location

    def fingerprint(self) -> str:
        """Return the digest of its files' names and bytes."""
        return fingerprint(self._location)

    def read(self) -> ConfigSeen:
        """Read and check it."""
        return read_project(self._location)


class BucketSource:
    """A project under a bucket's prefix; what is fetched is kept as a revision."""

    def __init__(
        self,
        place: Location,
        store: Callable[[], ObjectStore],
        revisions: Revisions,
        clock: Callable[[], float] = time.time,
        *,
        settle_seconds: float = BUCKET_SETTLE_SECONDS,
    ) -> None:
        """Make one; `store` opens the bucket and may raise SourceUnavailable."""
        self.settle_seconds = settle_seconds
        self._place = place
        self._store = store
        self._revisions = revisions
        self._clock = clock
        self._layout: Layout | None = None
        # The reloader's own thread has better to do than to wait for a volume.
        self._keeper = ThreadPoolExecutor(1, "config-keep")

    def fingerprint(self) -> str:
        """Return the digest of what one list says of its files; raises SourceUnavailable."""
        try:
            return fingerprint_of(list_project(self._store(), self._place), self._layout)
        except ConfigError as error:
            return error.problems[0].code

    def read(self) -> ConfigSeen:
        """Fetch and check it; raises SourceUnavailable."""
        self._layout = None  # while it is refused, any object may be what mends it
        try:
            found = fetch(self._store(), self._place, self._revisions.find)
        except ConfigError as error:
            return ConfigSeen(None, error.problems)
        if isinstance(found, Revision):
            return self._seen(found.files, found.listing, found)
        try:
            revision = self._revisions.keep(found, self._clock())
        except SourceUnavailable as error:
            _tell_not_kept(error)  # a revoked key must count on a full volume, too
            with TemporaryDirectory() as folder:
                write_files(Path(folder), found)
                return self._seen(Path(folder), found.listing, None)
        return self._seen(revision.files, revision.listing, revision)

    def _seen(self, files: Path, listing: str, revision: Revision | None) -> ConfigSeen:
        """Check what was fetched; without a revision it is not kept."""
        try:
            self._layout = layout_of((files / PROJECT_FILE).read_bytes())
            catalog, documents = load_catalog(files)
        except ConfigError as error:
            return ConfigSeen(None, error.problems, fingerprint=listing)
        project = Project(files, documents, catalog, self._place)
        if revision is None:
            return ConfigSeen(project, fingerprint=listing, fetched_at=self._clock())
        return ConfigSeen(
            project,
            fingerprint=listing,
            fetched_at=revision.fetched_at,
            on_applied=lambda: self._applied(revision),
        )

    def _applied(self, revision: Revision) -> None:
        self._keeper.submit(self._use, revision)

    def _use(self, revision: Revision) -> None:
        try:
            self._revisions.use(revision, self._clock())
        except SourceUnavailable as error:
            _tell_not_kept(error)


def _tell_not_kept(error: SourceUnavailable) -> None:
    log.warning("config_not_kept", code=error.code, message=error.message, hint=error.hint)


def source_of(
    project: Project, revisions: Revisions | None, stores: Stores
) -> FolderSource | BucketSource:
    """Return where a project is watched: `revisions` are of one in a bucket."""
    place = project.base
    if place is None or revisions is None:
        return FolderSource(project.root)
    return BucketSource(place, lambda: stores.at(place), revisions)


def read_project(location: Path) -> ConfigSeen:
    """Read and check a project, a folder or its offloader.yml."""
    try:
        catalog, documents = load_catalog(location)
    except ConfigError as error:
        return ConfigSeen(None, error.problems)
    root = location if location.is_dir() else location.parent
    return ConfigSeen(Project(root, documents, catalog))
