"""Write one snapshot to a folder and open it as the local source does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from offloader.catalog.manifest import parse_manifest
from offloader.catalog.model import Column, Dataset
from offloader.catalog.snapshot_codes import SNAPSHOT_CODES
from offloader.catalog.types import parse_type
from offloader.errors import Problem, SnapshotRefused
from offloader.sources.snapshot import Snapshot
from tests.snapshots import FileFormat, file_entry, manifest_document, write_table
from tests.sources.opening import open_local

Columns = Sequence[tuple[str, str]]


def columns_of(pairs: Columns) -> tuple[Column, ...]:
    """Return contract columns of (name, type) pairs."""
    return tuple(Column(name, parse_type(kind)) for name, kind in pairs)


def open_document(
    root: Path, document: Mapping[str, Any], wanted: Columns | None = None, *, threads: int = 1
) -> Snapshot:
    """Open the snapshot that `document` describes, for a contract of the columns `wanted`."""
    manifest = parse_manifest(json.dumps(document).encode(), "manifest.json")
    served = manifest.columns if wanted is None else columns_of(wanted)
    dataset = Dataset("usage", served)
    return open_local(manifest, root / "manifest.json", dataset, root=root, threads=threads)


def publish_tables(
    root: Path, tables: Sequence[pa.Table], columns: Columns, file_format: FileFormat = "parquet"
) -> dict[str, Any]:
    """Write each table to a file of its own and return the manifest's document."""
    entries = []
    for index, table in enumerate(tables):
        path = root / f"part-{index}.{file_format}"
        write_table(table, path, file_format)
        entries.append(file_entry(path, root, file_format, table.num_rows))
    return manifest_document("usage", columns, entries)


def publish_text(root: Path, text: str | bytes, row_count: int, columns: Columns) -> dict[str, Any]:
    """Write one CSV file as it is given and return the manifest's document."""
    path = root / "part.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return manifest_document("usage", columns, [file_entry(path, root, "csv", row_count)])


def read_rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Read every row of a snapshot as Python values."""
    return [row for table in snapshot.tables() for row in table.to_pylist()]


def read_column(root: Path, array: pa.Array, kind: str) -> list[Any]:
    """Write one Parquet column and read it back as `kind`."""
    document = publish_tables(root, [pa.table({"value": array})], [("value", kind)])
    return [row["value"] for row in read_rows(open_document(root, document))]


@contextmanager
def refused(code: str, *, path: str = "", row: int = 0) -> Iterator[list[Problem]]:
    """Expect a refusal of one problem with that code at that column and row."""
    found: list[Problem] = []
    with pytest.raises(SnapshotRefused) as caught:
        yield found
    found.extend(caught.value.problems)
    assert [(problem.code, problem.path) for problem in found] == [(code, path)]
    assert caught.value.code == code
    assert code in SNAPSHOT_CODES
    assert found[0].hint
    if row:
        assert found[0].message.startswith(f"row {row}: ")
