"""Read one data file, whatever its format, against what the manifest says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from offloader.catalog.manifest import ManifestFile
from offloader.catalog.manifest_fields import MAX_PROBLEMS
from offloader.catalog.model import Column
from offloader.catalog.strict_json import shown
from offloader.catalog.types import ColumnType
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.sources.arrow_cast import BadValueError, read_as
from offloader.sources.arrow_types import accepts, contract_type
from offloader.sources.csv import CsvError, CsvSource
from offloader.sources.parquet import ParquetSource

_REWRITE = "write the file again and publish a new snapshot"
_REPAIR = "have the pipeline repair the value, write the file again and publish a new snapshot"


def read_tables(
    source: pa.NativeFile,
    file: ManifestFile,
    declared: Sequence[Column],
    served: Sequence[Column],
    *,
    threads: int = 1,
) -> Iterator[pa.Table]:
    """Yield the `served` columns of an open file as tables of at most 2**20 rows.

    `declared` are all columns of the manifest; the file must have exactly these, in any order.
    Columns arrive in the order and the Arrow types of `served` (see `arrow_type`). Raises
    SnapshotRefused when the file is not what the manifest says, SourceUnavailable when reading
    fails; both name the file and no value.
    """
    with translated_errors(file.path):
        names = [column.name for column in served]
        opened = _open(source, file, declared, threads)
        row_count = 0
        for batch in opened.batches(names):
            yield _typed(batch, served, file, row_count)
            row_count += batch.num_rows
        _check_row_count(file, row_count)


def check_file(source: pa.NativeFile, file: ManifestFile, declared: Sequence[Column]) -> None:
    """Check an open Parquet file's columns, types and row count, by its footer alone.

    Raises as `read_tables`.
    """
    with translated_errors(file.path):
        _open(source, file, declared, threads=1)


def _open(
    source: pa.NativeFile, file: ManifestFile, declared: Sequence[Column], threads: int
) -> CsvSource | ParquetSource:
    if file.format == "csv":
        text = CsvSource(source, declared)
        _refuse(_check_names(file.path, text.names, declared))
        return text
    binary = ParquetSource(source, threads=threads)
    problems = _check_names(file.path, binary.schema.names, declared)
    _refuse(problems or _check_types(file.path, binary.schema, declared))
    _check_row_count(file, binary.row_count)
    return binary


def _typed(
    batch: pa.RecordBatch, served: Sequence[Column], file: ManifestFile, first_row: int
) -> pa.Table:
    arrays = []
    for column in served:
        try:
            arrays.append(read_as(column.type, batch.column(column.name)))
        except BadValueError as bad:
            row = first_row + bad.row + 1
            raise _value_refused(file.path, column.name, row, bad.code, bad.rule) from None
    return pa.Table.from_arrays(arrays, names=[column.name for column in served])


@contextmanager
def translated_errors(path: str) -> Iterator[None]:
    """Turn what pyarrow raises over the file `path` into our errors, without any value."""
    try:
        yield
    except MemoryError:
        raise
    except CsvError as error:
        raise _value_refused(path, error.column, error.row, error.code, error.rule) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # without a number it is a bad content
            message = f"{path}: reading failed: {error.strerror}"
            hint = "check the disk or the mount; it is tried again"
            raise SourceUnavailable("source_unreadable", message, hint) from error
        message = "it is not a readable Parquet file: cut short or damaged"
        raise SnapshotRefused.of(
            [Problem(path, "", "file_unreadable", message, _REWRITE)]
        ) from None


def _value_refused(path: str, column: str, row: int, code: str, rule: str) -> SnapshotRefused:
    message = f"row {row}: {rule}" if row else rule
    return SnapshotRefused.of([Problem(path, column, code, message, _REPAIR)])


def _check_names(path: str, names: Sequence[str], declared: Sequence[Column]) -> list[Problem]:
    wanted = [column.name for column in declared]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    found = (
        ("file_column_missing", "is in `schema`, not in the file", set(wanted) - set(names)),
        ("file_column_undeclared", "is in the file, not in `schema`", set(names) - set(wanted)),
        ("file_column_duplicate", "stands in the file more than once", repeated),
    )
    hint = "make `schema` list exactly the columns of every file"
    return [
        Problem(path, name, code, f"the column {shown(name)} {what}", hint)
        for code, what, columns in found
        for name in sorted(columns)
    ]


def _check_types(path: str, schema: pa.Schema, declared: Sequence[Column]) -> list[Problem]:
    problems = []
    for column in declared:
        found = schema.field(column.name).type
        if accepts(column.type, found):
            continue
        fitting = contract_type(found)
        code = "file_type_differs" if fitting else "file_type_unsupported"
        message = f"it holds {_name(found)}, `schema` says {column.type}"
        problems.append(Problem(path, column.name, code, message, _type_hint(fitting)))
    return problems


def _type_hint(fitting: ColumnType | None) -> str:
    if fitting is None:
        return "cast it to one of the contract's types before writing"
    return f"declare it as {fitting}, or cast it before writing"


def _name(found: pa.DataType) -> str:
    text = str(found)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise SnapshotRefused.of(problems[:MAX_PROBLEMS])


def _check_row_count(file: ManifestFile, row_count: int) -> None:
    if row_count != file.row_count:
        message = f"it has {row_count} rows, the manifest says {file.row_count}"
        hint = "count rows when writing, and write the manifest last"
        _refuse([Problem(file.path, "", "file_row_count_differs", message, hint)])
