"""Scan a snapshot's files where they lie: the rows that one request needs, typed by the contract.

Of a Parquet file the footer tells which row groups can hold such rows; of these, the columns that
are needed are fetched and read. A CSV file is read from its beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pa_dataset

from offloader.catalog.model import Column
from offloader.errors import SnapshotRefused
from offloader.segment.remote_files import PinnedFile, RemoteFiles
from offloader.sources.arrow_cast import BadValueError, read_as
from offloader.sources.arrow_read import translated_errors
from offloader.sources.csv import HEADER_BYTES, CsvSource
from offloader.sources.footers import BadFooterError, Footers
from offloader.sources.ranged_file import Range, RangedFile, merged
from offloader.sources.scan_bounds import FileChangedError, Scan
from offloader.sources.scan_filter import all_of, expression_of
from offloader.sources.scan_groups import Group, in_batches, wanted_groups
from offloader.stores.location import Location, parse_url
from offloader.stores.open import Stores
from offloader.stores.store import StoredObject

BATCH_ROWS = 1 << 16
FILES_AT_ONCE = 16
# What is fetched while rows before it are decoded: about two batches of row groups.
AHEAD_BYTES = 64 << 20
_FORMAT = pa_dataset.ParquetFileFormat(
    read_options=pa_dataset.ParquetReadOptions(coerce_int96_timestamp_unit="us"),
    default_fragment_scan_options=pa_dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Row groups of one Parquet file, or a whole CSV file; `finish` waits for its bytes."""

    place: Location
    file: RangedFile
    stored_bytes: int = 0
    ranges: tuple[Range, ...] = ()
    groups: tuple[Group, ...] = ()
    scanner: pa_dataset.Scanner | None = None
    finish: Callable[[], None] = lambda: None


def location_of(text: str) -> Location:
    """Return the location that was written as an absolute path or a URL."""
    return parse_url(text) if "://" in text else Location("file", "/", text.removeprefix("/"))


class Scanner:
    """Scans files of any store. Any thread may use it; `pool` fetches ranges side by side."""

    def __init__(self, stores: Stores, footers: Footers, pool: Executor) -> None:
        self._stores = stores
        self._footers = footers
        self._pool = pool

    def tables(self, files: RemoteFiles, scan: Scan) -> Iterator[pa.Table]:
        """Yield the needed columns of rows that may match, in the order of the source.

        Columns have the contract's `arrow_type`, a VARCHAR also coded or large. Raises
        ScanTimeoutError, ScanTooLargeError, FileChangedError and SourceUnavailable.
        """
        try:
            for task in self._begun(files, scan):
                with _translated(task.place):
                    for table in _tables(task, files.columns, scan):
                        scan.keep(table)
                        yield table
                        if scan.has_enough:
                            return
        finally:
            scan.stop()

    def _begun(self, files: RemoteFiles, scan: Scan) -> Iterator[_Task]:
        """Yield tasks in the order of the source, the next ones being fetched meanwhile."""
        most_bytes = AHEAD_BYTES if scan.request.enough_rows is None else 0
        ahead: deque[_Task] = deque()
        ahead_bytes = 0
        for task in self._tasks(files, scan):
            ahead.append(task)
            ahead_bytes += task.stored_bytes
            while ahead_bytes > most_bytes:
                ahead_bytes -= ahead[0].stored_bytes
                yield ahead.popleft()
        yield from ahead

    def _tasks(self, files: RemoteFiles, scan: Scan) -> Iterator[_Task]:
        rest = iter(files.files)
        while ahead := list(islice(rest, FILES_AT_ONCE)):
            opened = self._pool.map(lambda pinned: self._open(pinned, scan), ahead)
            for pinned, (place, file) in zip(ahead, opened, strict=True):
                if pinned.format == "parquet":
                    with _translated(place):
                        yield from self._row_groups(place, file, scan)
                else:
                    yield _Task(place, file)

    def _open(self, pinned: PinnedFile, scan: Scan) -> tuple[Location, RangedFile]:
        """Open a file and have it hold its footer."""
        place = location_of(pinned.location)
        found = StoredObject(place.key, pinned.size_bytes, pinned.version, 0.0)
        file = RangedFile(self._stores.at(place), found, scan.note_bytes)
        if pinned.format == "parquet":
            try:
                name = pinned.location, pinned.version
                self._footers.give(name, file, pinned.size_bytes)
            except BadFooterError as error:
                raise FileChangedError(f"{place.shown}: {error}") from None
        return place, file

    def _row_groups(self, place: Location, file: RangedFile, scan: Scan) -> Iterator[_Task]:
        """Yield the row groups that can hold matching rows, being fetched, some at a time."""
        request = scan.request
        fragment = _FORMAT.make_fragment(pa.PythonFile(file, mode="r"))
        where = _expression(scan, fragment.physical_schema)
        names = [column.name for column in request.columns]
        wanted = wanted_groups(fragment, frozenset(names), where, request.conditions)
        # Rows that came with the footer are asked for again: so each scan notices a change.
        file.forget()
        for groups in in_batches(wanted):
            for group in groups:
                scan.plan(group.stored_bytes, group.decoded_bytes)
            ranges = merged(one for group in groups for one in group.ranges)
            subset = fragment.subset(row_group_ids=[group.number for group in groups])
            yield _Task(
                place,
                file,
                sum(group.stored_bytes for group in groups),
                tuple(ranges),
                tuple(groups),
                subset.scanner(
                    columns=names, filter=where, batch_size=BATCH_ROWS, use_threads=False
                ),
                file.fetch(ranges, self._pool),
            )


@contextmanager
def _translated(place: Location) -> Iterator[None]:
    """Say of a file whose content is wrong that it changed: it was not so at the build."""
    try:
        with translated_errors(place.shown):
            yield
    except SnapshotRefused as error:
        raise FileChangedError(error.message) from None


def _tables(task: _Task, declared: Sequence[Column], scan: Scan) -> Iterator[pa.Table]:
    task.finish()
    if task.scanner is not None:
        scan.rows_read += sum(group.row_count for group in task.groups)
        yield from _typed(task.scanner.to_batches(), scan)
        task.file.let_go(start for start, _ in task.ranges)
        return
    names = [column.name for column in scan.request.columns]
    task.file.hold(0, task.file.read(HEADER_BYTES))  # which is read twice
    task.file.seek(0)
    source = CsvSource(pa.PythonFile(task.file, mode="r"), declared)
    yield from _typed(_counted(source.batches(names), scan), scan)


def _counted(batches: Iterator[pa.RecordBatch], scan: Scan) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        scan.rows_read += batch.num_rows
        yield batch


def _expression(scan: Scan, schema: pa.Schema) -> pc.Expression | None:
    """Return what of the conditions these types can express."""
    found = (
        expression_of(condition, schema.field(condition.column.name).type)
        for condition in scan.request.conditions
    )
    return all_of(one for one in found if one is not None)


def _typed(batches: Iterator[pa.RecordBatch], scan: Scan) -> Iterator[pa.Table]:
    """Yield batches in the contract's types, without rows that are known not to match."""
    columns = scan.request.columns
    for batch in batches:
        scan.check_time()
        if not batch.num_rows:
            continue
        try:
            arrays = [read_as(one.type, batch.column(one.name)) for one in columns]
        except BadValueError as error:
            raise SnapshotRefused(error.code, f"a value cannot be read: {error.rule}") from None
        table = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
        where = _expression(scan, table.schema)
        if where is not None:
            table = table.filter(where)
        if table.num_rows:
            yield table
