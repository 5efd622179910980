"""Snapshots in a directory: find the manifest and its files, and read them unchanged.

Nothing outside the project's root is ever opened, also not through a symlink.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from offloader.catalog.compatibility import check_schema, served_columns
from offloader.catalog.manifest import Manifest, ManifestFile
from offloader.catalog.manifest_fields import MAX_PROBLEMS
from offloader.catalog.model import Column, Dataset
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.sources.arrow_read import read_tables, translated_errors
from offloader.sources.checksum import file_checksum
from offloader.sources.manifest_file import ABSENT

_PUBLISH_LAST = "write every file first, the manifest last, and publish a new snapshot"
_Signature = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LocalSnapshot:
    """A snapshot whose files exist with the sizes its manifest states.

    `columns` are those served: the dataset's, in its order, in the manifest's types.
    """

    manifest: Manifest
    folder: Path
    root: Path
    columns: tuple[Column, ...]
    threads: int = 1

    def tables(self) -> Iterator[pa.Table]:
        """Yield every row, in the order of the manifest's files and of their rows.

        Tables have at most 2**20 rows and the columns' `arrow_type`; a VARCHAR may
        arrive as string, large_string or dictionary<int32, string>. Sets pyarrow's thread count
        of this process. Raises SnapshotRefused when a file is not what the manifest says, and
        SourceUnavailable when it cannot be read or changes meanwhile.
        """
        pa.set_cpu_count(self.threads)
        for file in self.manifest.files:
            with _unchanged(file, self.folder, self.root) as path:
                _check_checksum(file, path)
                with translated_errors(file.path):
                    source = pa.OSFile(str(path))
                with source:
                    yield from read_tables(
                        source, file, self.manifest.columns, self.columns, threads=self.threads
                    )


def open_snapshot(
    manifest: Manifest, manifest_path: Path, dataset: Dataset, *, root: Path, threads: int = 1
) -> LocalSnapshot:
    """Check a snapshot's schema, and its files' existence and sizes, without reading them.

    `root` is the project's root, which no file may leave. Raises SnapshotRefused with all
    problems (at most 100), SourceUnavailable when the folder cannot be looked into.
    """
    problems = check_schema(manifest, dataset, file=manifest_path.name)
    if problems:
        raise SnapshotRefused.of(problems)
    folder, root = manifest_path.parent, root.resolve()
    found = (_find(file, folder, root)[1] for file in manifest.files)
    problems = list(islice((problem for problem in found if problem), MAX_PROBLEMS))
    if problems:
        raise SnapshotRefused.of(problems)
    return LocalSnapshot(manifest, folder, root, served_columns(manifest, dataset), threads)


@contextmanager
def _unchanged(file: ManifestFile, folder: Path, root: Path) -> Iterator[Path]:
    """Give the file's path; raise SourceUnavailable if it was another file at the end."""
    path, problem = _find(file, folder, root)
    if problem:
        raise SnapshotRefused.of([problem])
    before = _signature(path)
    try:
        yield path
    except SnapshotRefused:
        if _signature(path) == before:
            raise
    if _signature(path) != before:
        message = f"{file.path} changed while it was read"
        hint = "never overwrite a published file: write new ones, then a new manifest"
        raise SourceUnavailable("file_changed", message, hint)


def _find(file: ManifestFile, folder: Path, root: Path) -> tuple[Path, Problem | None]:
    if file.is_url:
        hint = "list files beside the manifest, or publish the manifest in the bucket too"
        message = "a manifest in a directory cannot list a URL"
        return folder, Problem(file.path, "", "url_unsupported", message, hint)
    path = Path(os.path.realpath(folder / file.path))
    if not path.is_relative_to(root):
        hint = "copy the file into the project instead of linking to it"
        message = "a symlink leads out of the project"
        return path, Problem(file.path, "", "symlink_leaves_project", message, hint)
    return path, _check_stat(file, path)


def _check_stat(file: ManifestFile, path: Path) -> Problem | None:
    try:
        found = path.stat()
    except OSError as error:
        if error.errno not in ABSENT:
            hint = "let the service's user read it; it is tried again"
            message = f"{file.path}: {error.strerror}"
            raise SourceUnavailable("source_unreadable", message, hint) from error
        return Problem(file.path, "", "file_missing", "it does not exist", _PUBLISH_LAST)
    if not stat.S_ISREG(found.st_mode):
        return Problem(file.path, "", "file_not_regular", "it is not a file", _PUBLISH_LAST)
    if found.st_size != file.size_bytes:
        message = f"it has {found.st_size} bytes, the manifest says {file.size_bytes}"
        return Problem(file.path, "", "file_size_differs", message, _PUBLISH_LAST)
    return None


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_checksum(file: ManifestFile, path: Path) -> None:
    if file.checksum is None:
        return
    algorithm, wanted = file.checksum
    with translated_errors(file.path):
        found = file_checksum(path, algorithm)
    if found != wanted:
        message = f"its {algorithm} is {found}, the manifest says {wanted}"
        problem = Problem(file.path, "", "file_checksum_differs", message, _PUBLISH_LAST)
        raise SnapshotRefused.of([problem])
