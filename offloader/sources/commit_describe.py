"""Make the manifest of a Databricks commit, which has none: from its marker and its files' ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from offloader.catalog.manifest import ManifestFile, manifest_document
from offloader.catalog.strict_json import canonical_json
from offloader.catalog.types import ColumnType, Kind
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.sources.arrow_read import translated_errors
from offloader.sources.databricks import Commit
from offloader.sources.describe import column_types, merge_types, typed_columns
from offloader.sources.footers import BadFooterError, read_footer
from offloader.sources.parquet import ParquetSource
from offloader.sources.ranged_file import RangedFile
from offloader.stores.store import ObjectMissing, ObjectStore, StoredObject

AT_ONCE = 16
PATIENT_SECONDS = 600.0
PRODUCER = "databricks"
_AHEAD = 64
_JSON = ColumnType(Kind.JSON)


def describe_commit(
    store: ObjectStore,
    prefix: str,
    commit: Commit,
    *,
    dataset_id: str,
    json_columns: Collection[str] = (),
    waited_seconds: float = 0.0,
    at_once: int = AT_ONCE,
) -> bytes:
    """Return the manifest of a commit as JSON bytes: every replica makes the same.

    The manifest is one that lies in the folder `prefix` names: its files are listed by their names
    in it. `created_at` and `watermark` are when the marker was written. `json_columns` are those
    whose text is JSON, which no Parquet file says. Only the ends of the files are read, of
    `at_once` files at a time.

    Raises SnapshotRefused when a file cannot be described, SourceUnavailable when it cannot be
    read; a file that is not there (`commit_file_missing`) is waited for until `waited_seconds`,
    for how long the commit has been known, reach ten minutes.
    """
    folder = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    types: dict[str, ColumnType | None] = {}
    files = []
    for name, end in _ends(store, folder, commit, waited_seconds, at_once):
        for column, kind in column_types(end.schema, name).items():
            stated = _JSON if column in json_columns and _is_text(kind) else kind
            types[column] = merge_types(types.get(column), stated, column, name)
        size_bytes, checksum = end.found.size_bytes, end.found.checksum
        files.append(ManifestFile(name, "parquet", end.row_count, size_bytes, checksum))
    committed_at = _iso(commit.microseconds)
    document = manifest_document(
        dataset_id=dataset_id,
        snapshot_id=commit.snapshot_id,
        created_at=committed_at,
        watermark=committed_at,
        columns=typed_columns(types),
        files=files,
        producer=PRODUCER,
        upstream_run_id=commit.tid,
    )
    return canonical_json(document)


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """What the end of a file says, and which version of it."""

    found: StoredObject
    schema: pa.Schema
    row_count: int


def _ends(
    store: ObjectStore, folder: str, commit: Commit, waited_seconds: float, at_once: int
) -> Iterator[tuple[str, _End]]:
    """Yield the end of each file in the commit's order, a bounded number ahead."""

    def read(name: str) -> _End:
        try:
            return _read_end(store, folder + name, name)
        except ObjectMissing:
            raise _file_missing(commit, name, waited_seconds) from None

    pool = ThreadPoolExecutor(at_once, "file ends")
    try:
        for first in range(0, len(commit.added), _AHEAD):
            names = commit.added[first : first + _AHEAD]
            yield from zip(names, pool.map(read, names), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_end(store: ObjectStore, key: str, name: str) -> _End:
    found = store.stat(key)
    try:
        ending = read_footer(RangedFile(store, found, lambda _: None), found.size_bytes)
    except BadFooterError as error:
        hint = "write the file again, not encrypted, and commit it"
        raise SnapshotRefused.of([Problem(name, "", "file_unreadable", str(error), hint)]) from None
    with translated_errors(name):
        # The reader looks for the footer from the end on, so an end alone is enough.
        source = ParquetSource(pa.BufferReader(ending), threads=1)
        return _End(found, source.schema, source.row_count)


def _file_missing(
    commit: Commit, name: str, waited_seconds: float
) -> SnapshotRefused | SourceUnavailable:
    if waited_seconds < PATIENT_SECONDS:
        message = f"{name}, which commit {commit.tid} adds, is not there"
        return SourceUnavailable("commit_file_missing", message, "it is looked for again")
    hint = "VACUUM or a rule of the bucket removed it: run the job again"
    message = f"commit {commit.tid} adds it, and it is not there"
    return SnapshotRefused.of([Problem(name, "", "commit_file_missing", message, hint)])


def _is_text(kind: ColumnType | None) -> bool:
    return kind is None or kind.kind is Kind.VARCHAR


def _iso(microseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")
