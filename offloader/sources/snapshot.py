"""Snapshots, wherever their manifest and files lie: checked, then read as one table.

Files beside a manifest in a directory are read in place, those in object stores are downloaded to
a spool ahead of being read. A manifest that lies in a store never names a local file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa

from offloader.catalog.compatibility import check_schema, served_columns
from offloader.catalog.manifest import Manifest, ManifestFile
from offloader.catalog.manifest_fields import MAX_PROBLEMS
from offloader.catalog.model import Column, Dataset
from offloader.errors import Problem, SnapshotRefused
from offloader.sources.arrow_read import read_tables, translated_errors
from offloader.sources.local import LocalFile
from offloader.sources.remote import Place, RemoteFile, look_up, place_of
from offloader.sources.spool import Spool
from offloader.stores.location import Location
from offloader.stores.open import Stores

SPOOL_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose files exist with the sizes its manifest states.

    `columns` are those served: the dataset's, in its order, in the manifest's types. Files in
    stores are downloaded into the folder `spool`, at most `spool_bytes` or one file ahead of the
    one being read; `on_download` is told of the bytes of each,
    `on_bytes` of bytes as they arrive, by several threads.
    """

    manifest: Manifest
    files: tuple[LocalFile | RemoteFile, ...]
    columns: tuple[Column, ...]
    stores: Stores
    spool: Path
    spool_bytes: int = SPOOL_BYTES
    threads: int = 1
    on_download: Callable[[int], None] = field(default=lambda _: None, compare=False)
    on_bytes: Callable[[int], None] = field(default=lambda _: None, compare=False)

    def tables(self) -> Generator[pa.Table]:
        """Yield every row, in the order of the manifest's files and of their rows.

        Tables have at most 2**20 rows and the columns' `arrow_type`; a VARCHAR may
        arrive as string, large_string or dictionary<int32, string>. Sets pyarrow's thread count
        of this process. Raises SnapshotRefused when a file is not what the manifest says,
        SourceUnavailable when it cannot be read or changes meanwhile, OSError when the spool's
        disk takes no more. Close the iterator when it is not read to its end.
        """
        pa.set_cpu_count(self.threads)
        remote = [one for one in self.files if isinstance(one, RemoteFile)]
        with Spool(
            remote,
            self.stores,
            self.spool,
            most_bytes=self.spool_bytes,
            on_download=self.on_download,
            on_bytes=self.on_bytes,
        ) as spool:
            for one in self.files:
                content: AbstractContextManager[Path]
                content = one.opened() if isinstance(one, LocalFile) else spool.next_file()
                with content as path:
                    yield from self._read(path, one.file)

    def _read(self, path: Path, file: ManifestFile) -> Iterator[pa.Table]:
        with translated_errors(file.path):
            source = pa.OSFile(str(path))
        with source:
            yield from read_tables(
                source, file, self.manifest.columns, self.columns, threads=self.threads
            )


def open_snapshot(
    manifest: Manifest,
    at: Location,
    dataset: Dataset,
    *,
    stores: Stores,
    root: Path | None,
    spool: Path,
    spool_bytes: int = SPOOL_BYTES,
    threads: int = 1,
    on_download: Callable[[int], None] = lambda _: None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Snapshot:
    """Check a snapshot's schema, and its files' existence and sizes, without reading them.

    `at` is where the manifest lies. `root` is the project's root, which no local file may leave;
    a manifest in a directory needs one. Raises SnapshotRefused with all problems (at most 100),
    SourceUnavailable when a folder or a store cannot be looked into.
    """
    problems = check_schema(manifest, dataset, file=at.name)
    if problems:
        raise SnapshotRefused.of(problems)
    files = _find_files(manifest, at, stores, root)
    columns = served_columns(manifest, dataset)
    told = (on_download, on_bytes)
    return Snapshot(manifest, files, columns, stores, spool, spool_bytes, threads, *told)


def _find_files(
    manifest: Manifest, at: Location, stores: Stores, root: Path | None
) -> tuple[LocalFile | RemoteFile, ...]:
    resolved = None if root is None else root.resolve()
    placed = [_placed(file, at, resolved) for file in manifest.files]
    checks = (one if isinstance(one, Problem) else _check(one) for one in placed)
    problems = list(islice((one for one in checks if one), MAX_PROBLEMS))
    places = [one for one in placed if isinstance(one, Place)]
    remote, more = look_up(places, stores)
    if problems or more:
        raise SnapshotRefused.of((problems + more)[:MAX_PROBLEMS])
    found = iter(remote)
    return tuple(one if isinstance(one, LocalFile) else next(found) for one in placed)


def _placed(file: ManifestFile, at: Location, root: Path | None) -> LocalFile | Place | Problem:
    if at.is_remote or file.is_url:
        return place_of(file, at)
    if root is None:
        raise ValueError("a manifest in a directory needs the root its files may not leave")
    return LocalFile(file, Path(str(at)).parent, root)


def _check(one: LocalFile | Place) -> Problem | None:
    return one.check() if isinstance(one, LocalFile) else None
