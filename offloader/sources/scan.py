"""Scan a snapshot's files where they lie: the rows that one request needs, typed by the contract.

Of a Parquet file the footer tells which row groups can hold such rows; of these, the columns that
are needed are fetched and read. A CSV file is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
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
from offloader.sources.ranged_file import RangedFile, merged
from offloader.sources.scan_bounds import FileChangedError, Scan, ScanTooLargeError
from offloader.sources.scan_filter import all_of, expression_of
from offloader.sources.scan_groups import Group, in_batches, wanted_groups
from offloader.stores.location import Location, parse_url
from offloader.stores.open import Stores
from offloader.stores.store import StoredObject

BATCH_ROWS = 1 << 16
FILES_AT_ONCE = 16
_FORMAT = pa_dataset.ParquetFileFormat(
    read_options=pa_dataset.ParquetReadOptions(coerce_int96_timestamp_unit="us"),
    default_fragment_scan_options=pa_dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True
    ),
)


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
        rest = iter(files.files)
        while ahead := list(islice(rest, FILES_AT_ONCE)):
            opened = self._pool.map(lambda file: self._open(file, scan), ahead)
            for pinned, (place, file) in zip(ahead, opened, strict=True):
                for table in self._read(pinned, place, file, files.columns, scan):
                    scan.keep(table)
                    yield table
                    if scan.has_enough:
                        return

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

    def _read(
        self,
        pinned: PinnedFile,
        place: Location,
        file: RangedFile,
        declared: Sequence[Column],
        scan: Scan,
    ) -> Iterator[pa.Table]:
        """Yield a file's rows; what is wrong with its content was not so at the build."""
        try:
            with translated_errors(place.shown):
                if pinned.format == "csv":
                    names = [column.name for column in scan.request.columns]
                    file.hold(0, file.read(HEADER_BYTES))  # which is read twice
                    file.seek(0)
                    source = CsvSource(pa.PythonFile(file, mode="r"), declared)
                    yield from _typed(source.batches(names), scan)
                else:
                    yield from self._read_parquet(file, scan)
        except SnapshotRefused as error:
            raise FileChangedError(error.message) from None

    def _read_parquet(self, file: RangedFile, scan: Scan) -> Iterator[pa.Table]:
        fragment = _FORMAT.make_fragment(pa.PythonFile(file, mode="r"))
        where = _pushed_down(scan, fragment.physical_schema)
        names = [column.name for column in scan.request.columns]
        wanted = wanted_groups(fragment, frozenset(names), where, scan.request.conditions)
        for groups in in_batches(wanted):
            _check_size(groups, scan)
            ranges = merged(one for group in groups for one in group.ranges)
            file.fetch(ranges, self._pool)
            scanner = fragment.subset(row_group_ids=[group.number for group in groups]).scanner(
                columns=names, filter=where, batch_size=BATCH_ROWS, use_threads=False
            )
            scan.rows_read += sum(group.row_count for group in groups)
            yield from _typed(scanner.to_batches(), scan, is_counted=True)
            file.let_go(ranges)


def _pushed_down(scan: Scan, schema: pa.Schema) -> pc.Expression | None:
    """Return what of the conditions a file's own types can express."""
    found = (
        expression_of(condition, schema.field(condition.column.name).type)
        for condition in scan.request.conditions
    )
    return all_of(one for one in found if one is not None)


def _check_size(groups: Sequence[Group], scan: Scan) -> None:
    """Refuse what is known to be too much before it is fetched."""
    limits = scan.limits
    if any(group.decoded_bytes > limits.group_bytes for group in groups):
        raise ScanTooLargeError(f"a row group takes over {limits.group_bytes} bytes: write smaller")
    if scan.bytes_read + sum(group.stored_bytes for group in groups) > limits.read_bytes:
        raise ScanTooLargeError(f"it reads more than {limits.read_bytes} bytes")


def _typed(
    batches: Iterator[pa.RecordBatch], scan: Scan, *, is_counted: bool = False
) -> Iterator[pa.Table]:
    """Yield batches in the contract's types, without rows that are known not to match."""
    columns = scan.request.columns
    for batch in batches:
        scan.check_time()
        if not is_counted:
            scan.rows_read += batch.num_rows
        if not batch.num_rows:
            continue
        try:
            arrays = [read_as(one.type, batch.column(one.name)) for one in columns]
        except BadValueError as error:
            raise SnapshotRefused(error.code, f"a value cannot be read: {error.rule}") from None
        table = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
        where = _pushed_down(scan, table.schema)
        if where is not None:
            table = table.filter(where)
        if table.num_rows:
            yield table
