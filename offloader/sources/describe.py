"""Describe files that lie on disk: what a manifest has to say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from offloader.catalog.manifest import ManifestFile, manifest_document
from offloader.catalog.model import Column
from offloader.catalog.types import ColumnType, Kind, is_same_or_wider
from offloader.errors import Problem, SnapshotRefused
from offloader.sources.arrow_read import translated_errors
from offloader.sources.arrow_types import contract_type, stored_type
from offloader.sources.csv import BLOCK_BYTES, CsvSource
from offloader.sources.parquet import ParquetSource
from offloader.stores.checksum import file_checksum

_TEXT = ColumnType(Kind.VARCHAR)
_SUFFIXES = {".parquet": "parquet", ".csv": "csv"}
NamedTypes = Mapping[str, ColumnType | None]


def create_manifest(
    base: Path,
    files: Sequence[Path] | None = None,
    *,
    dataset_id: str,
    snapshot_id: str,
    created_at: str,
    watermark: str,
    producer: str,
    upstream_run_id: str,
    columns: Sequence[Column] | None = None,
    schema_version: str | int = 1,
    partition_columns: Sequence[str] = (),
    sort_columns: Sequence[str] = (),
    data_quality_status: str = "passed",
    compatibility_policy: str = "additive_only",
    checksum: str | None = "xxh3_128",
) -> dict[str, object]:
    """Return the manifest document of files that exist: sizes, row counts, checksums, schema.

    `base` is the folder the manifest will stand in and `files` lie in or below it; left out, they
    are all its `.parquet` and `.csv` files by path, but hidden ones and those whose name begins
    with `_`. `columns` are read from the files unless given; those of a CSV file are inferred, a
    column without any value is VARCHAR. Raises SnapshotRefused when a file cannot be described,
    SourceUnavailable when it cannot be read.
    """
    paths = find_files(base) if files is None else list(files)
    found = columns or _read_columns(base, paths)
    described = [_describe(base, path, found, checksum) for path in paths]
    return manifest_document(
        dataset_id=dataset_id,
        snapshot_id=snapshot_id,
        created_at=created_at,
        watermark=watermark,
        columns=found,
        files=described,
        producer=producer,
        upstream_run_id=upstream_run_id,
        schema_version=schema_version,
        partition_columns=partition_columns,
        sort_columns=sort_columns,
        data_quality_status=data_quality_status,
        compatibility_policy=compatibility_policy,
    )


def find_files(base: Path) -> list[Path]:
    """Return the data files below a folder, sorted by path."""
    candidates = (path for path in base.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    is_listed = (
        path
        for path in candidates
        if not any(part.startswith((".", "_")) for part in path.relative_to(base).parts)
    )
    return sorted(is_listed)


def _describe(
    base: Path, path: Path, columns: Sequence[Column], checksum: str | None
) -> ManifestFile:
    name = _name(base, path)
    with _opened(base, path) as source:
        row_count = _count_rows(source, path, columns)
    with translated_errors(name):
        return ManifestFile(
            path=name,
            format="csv" if path.suffix == ".csv" else "parquet",
            row_count=row_count,
            size_bytes=path.stat().st_size,
            checksum=(checksum, file_checksum(path, checksum)) if checksum else None,
        )


def _count_rows(source: pa.NativeFile, path: Path, columns: Sequence[Column]) -> int:
    if path.suffix != ".csv":
        return ParquetSource(source, threads=1).row_count
    text = CsvSource(source, columns)
    return sum(batch.num_rows for batch in text.batches(text.names))


def _read_columns(base: Path, paths: Sequence[Path]) -> list[Column]:
    merged: dict[str, ColumnType | None] = {}
    for path in paths:
        with _opened(base, path) as source:
            found = _types_of(source, path, _name(base, path))
        for name, kind in found.items():
            merged[name] = merge_types(merged.get(name), kind, name, _name(base, path))
    return typed_columns(merged)


def typed_columns(types: NamedTypes) -> list[Column]:
    """Return the columns of a manifest; one without any value is VARCHAR."""
    return [Column(name, kind or _TEXT) for name, kind in types.items()]


def _types_of(source: pa.NativeFile, path: Path, name: str) -> NamedTypes:
    if path.suffix == ".csv":
        return _infer_csv(source)
    return column_types(ParquetSource(source, threads=1).schema, name)


def column_types(schema: pa.Schema, name: str) -> NamedTypes:
    """Return the types a contract has for the columns of a file, None for one without any value.

    Raises SnapshotRefused `file_type_unsupported`, which calls the file `name`.
    """
    found: dict[str, ColumnType | None] = {}
    for field in schema:
        kind = contract_type(field.type)
        if kind is None and not pa.types.is_null(stored_type(field.type)):
            message = f"{field.type} has no type in a contract"
            hint = "cast it before writing"
            raise SnapshotRefused.of(
                [Problem(name, field.name, "file_type_unsupported", message, hint)]
            )
        found[field.name] = kind
    return found


def _infer_csv(source: pa.NativeFile) -> NamedTypes:
    text = CsvSource(source, ())
    if text.is_header_only:
        return dict.fromkeys(text.names)
    schema = pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(null_values=[""], strings_can_be_null=True),
    ).schema
    return {
        field.name: None if pa.types.is_null(field.type) else contract_type(field.type) or _TEXT
        for field in schema
    }


def merge_types(
    known: ColumnType | None, found: ColumnType | None, column: str, file: str
) -> ColumnType | None:
    """Return the wider of two types of one column; raises SnapshotRefused `file_types_conflict`."""
    if known is None or found is None:
        return known or found
    if is_same_or_wider(known, found):
        return known
    if is_same_or_wider(found, known):
        return found
    message = f"it is {found} here and {known} in another file"
    hint = "write every file with the same type"
    raise SnapshotRefused.of([Problem(file, column, "file_types_conflict", message, hint)])


def _name(base: Path, path: Path) -> str:
    return path.relative_to(base).as_posix()


@contextmanager
def _opened(base: Path, path: Path) -> Iterator[pa.NativeFile]:
    with translated_errors(_name(base, path)), pa.OSFile(str(path)) as source:
        yield source
