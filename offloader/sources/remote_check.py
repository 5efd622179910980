"""Check the files of a snapshot that is not loaded: the same as for a load, with fewer bytes read.

Of a Parquet file the footer is read, and the columns that guards look at; a CSV file is read whole.
What of a file lies beside the manifest in a directory is compared with its checksum, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice

import pyarrow as pa

from offloader.catalog.model import Column
from offloader.segment.remote_files import PinnedFile
from offloader.sources.arrow_read import check_file, read_tables, translated_errors
from offloader.sources.footers import BadFooterError, read_footer
from offloader.sources.local import LocalFile
from offloader.sources.ranged_file import RangedFile
from offloader.sources.remote import RemoteFile
from offloader.sources.snapshot import Snapshot
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import StoredObject

FOOTERS_AT_ONCE = 16


def pinned_files(snapshot: Snapshot) -> list[PinnedFile]:
    """Return where the files lie, in the versions that were found, in the manifest's order.

    Raises SourceUnavailable when a file is gone by now.
    """
    placed = (_placed(one, snapshot.stores) for one in snapshot.files)
    return [
        PinnedFile(str(place), one.file.format, found.version, found.size_bytes, one.file.row_count)
        for one, (place, found) in zip(snapshot.files, placed, strict=True)
    ]


def checked_tables(snapshot: Snapshot, guarded: Sequence[Column]) -> Iterator[pa.Table]:
    """Check every file, and yield the columns that guards look at, in the order of the source.

    Without any, nothing is yielded. Raises as `Snapshot.tables`.
    """
    pa.set_cpu_count(snapshot.threads)
    if not guarded:
        _check_footers(snapshot)
    for one in snapshot.files:
        if one.file.format == "csv" or guarded:
            yield from _read(one, snapshot, guarded)


def _check_footers(snapshot: Snapshot) -> None:
    def check(one: LocalFile | RemoteFile) -> None:
        with _opened(one, snapshot.stores) as source:
            check_file(source, one.file, snapshot.manifest.columns)

    pool = ThreadPoolExecutor(FOOTERS_AT_ONCE, "footer")
    rest = (one for one in snapshot.files if one.file.format == "parquet")
    try:
        while ahead := list(islice(rest, FOOTERS_AT_ONCE)):
            for _ in pool.map(check, ahead):
                pass
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read(
    one: LocalFile | RemoteFile, snapshot: Snapshot, guarded: Sequence[Column]
) -> Iterator[pa.Table]:
    names = [column.name for column in guarded]
    served = snapshot.columns if one.file.format == "csv" else guarded
    with _opened(one, snapshot.stores) as source:
        for table in read_tables(source, one.file, snapshot.manifest.columns, served):
            if names:
                yield table.select(names)


@contextmanager
def _opened(one: LocalFile | RemoteFile, stores: Stores) -> Iterator[pa.NativeFile]:
    if isinstance(one, LocalFile):
        with one.opened() as path:
            with translated_errors(one.file.path):
                source = pa.OSFile(str(path))
            with source:
                yield source
        return
    file = RangedFile(stores.at(one.at), one.found, lambda _: None)
    if one.file.format == "parquet":
        with suppress(BadFooterError):  # whoever reads it says so in better words
            tail = read_footer(file, one.found.size_bytes)
            file.hold(one.found.size_bytes - len(tail), tail)
    yield pa.PythonFile(file, mode="r")


def _placed(one: LocalFile | RemoteFile, stores: Stores) -> tuple[Location, StoredObject]:
    if isinstance(one, RemoteFile):
        return one.at, one.found
    path = os.path.realpath(one.folder / one.file.path)
    place = Location("file", "/", path.removeprefix("/"))
    return place, stores.at(place).stat(place.key)
