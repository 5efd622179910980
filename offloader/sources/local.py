"""Files of a snapshot in a directory: found, compared with the manifest, and read unchanged.

Nothing outside the project's root is ever opened, also not through a symlink.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.manifest import ManifestFile
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.sources.file_problems import (
    PUBLISH_LAST,
    changed,
    checksum_differs,
    missing,
    size_differs,
)
from offloader.sources.manifest_file import ABSENT
from offloader.stores.checksum import file_checksum

_Signature = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of a manifest that lies in `folder`; `root`, resolved, is what it may not leave."""

    file: ManifestFile
    folder: Path
    root: Path

    def check(self) -> Problem | None:
        """Return what is wrong with the file without reading it, None when nothing is.

        Raises SourceUnavailable when the folder cannot be looked into.
        """
        return self._find()[1]

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give the path of a file that has its checksum; find out if it changes in the block.

        Raises SnapshotRefused when it is not what the manifest says, SourceUnavailable when it
        cannot be read or was another file at the end (`file_changed`).
        """
        path, problem = self._find()
        if problem:
            raise SnapshotRefused.of([problem])
        before = _signature(path)
        try:
            self._compare(path)
            yield path
        except SnapshotRefused:
            if _signature(path) == before:
                raise
        if _signature(path) != before:
            raise changed(self.file.path)

    def _find(self) -> tuple[Path, Problem | None]:
        path = Path(os.path.realpath(self.folder / self.file.path))
        if not path.is_relative_to(self.root):
            hint = "copy the file into the project instead of linking to it"
            message = "a symlink leads out of the project"
            return path, Problem(self.file.path, "", "symlink_leaves_project", message, hint)
        return path, self._check_stat(path)

    def _check_stat(self, path: Path) -> Problem | None:
        try:
            found = path.stat()
        except OSError as error:
            if error.errno not in ABSENT:
                raise self._unreadable(error) from error
            return missing(self.file)
        if not stat.S_ISREG(found.st_mode):
            name = self.file.path
            return Problem(name, "", "file_not_regular", "it is not a file", PUBLISH_LAST)
        return size_differs(self.file, found.st_size)

    def _compare(self, path: Path) -> None:
        if self.file.checksum is None:
            return
        try:
            found = file_checksum(path, self.file.checksum[0])
        except OSError as error:
            raise self._unreadable(error) from error
        if problem := checksum_differs(self.file, (self.file.checksum[0], found)):
            raise SnapshotRefused.of([problem])

    def _unreadable(self, error: OSError) -> SourceUnavailable:
        hint = "let the service's user read it, or check the mount; it is tried again"
        message = f"{self.file.path}: {error.strerror}"
        return SourceUnavailable("source_unreadable", message, hint)


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
