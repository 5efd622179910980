"""Publish a snapshot as a producer does: new files first, then the manifest by a rename."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import xxhash

FileFormat = Literal["parquet", "csv"]
WATERMARK = "2026-06-01T00:00:00Z"


def publish_snapshot(
    manifest_path: Path,
    table: pa.Table,
    *,
    dataset_id: str,
    columns: Sequence[tuple[str, str]],
    snapshot_id: str,
    watermark: str = WATERMARK,
    files: int = 1,
    file_format: FileFormat = "parquet",
) -> None:
    """Write `table` in `files` parts to a folder of its own, then the manifest.

    `columns` are the manifest's names and contract types, in order.
    """
    folder = manifest_path.parent / re.sub(r"[^A-Za-z0-9_.-]", "_", snapshot_id)
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for part in range(files):
        start, stop = table.num_rows * part // files, table.num_rows * (part + 1) // files
        path = folder / f"part-{part:05d}.{file_format}"
        write_table(table.slice(start, stop - start), path, file_format)
        entries.append(file_entry(path, manifest_path.parent, file_format, stop - start))
    document = manifest_document(
        dataset_id, columns, entries, snapshot_id=snapshot_id, watermark=watermark
    )
    write_manifest(manifest_path, document)


def write_table(table: pa.Table, path: Path, file_format: FileFormat) -> None:
    """Write one Parquet file, or one CSV file with a header line and empty fields as nulls."""
    if file_format == "parquet":
        pa_parquet.write_table(table, path)
    else:
        pa_csv.write_csv(table, path)


def file_entry(path: Path, base: Path, file_format: FileFormat, row_count: int) -> dict[str, Any]:
    """Return a manifest's entry of one written file, with its true size and checksum."""
    content = path.read_bytes()
    return {
        "path": path.relative_to(base).as_posix(),
        "format": file_format,
        "row_count": row_count,
        "size_bytes": len(content),
        "xxh3_128": xxhash.xxh3_128_hexdigest(content),
    }


def manifest_document(
    dataset_id: str,
    columns: Sequence[tuple[str, str]],
    entries: Sequence[Mapping[str, Any]],
    *,
    snapshot_id: str = "s0001",
    watermark: str = WATERMARK,
) -> dict[str, Any]:
    """Return a complete, valid manifest over `entries`."""
    return {
        "dataset_id": dataset_id,
        "snapshot_id": snapshot_id,
        "created_at": watermark,
        "watermark": watermark,
        "schema": [{"name": name, "type": kind} for name, kind in columns],
        "files": list(entries),
        "partition_columns": [],
        "sort_columns": [],
        "row_count": sum(entry["row_count"] for entry in entries),
        "size_bytes": sum(entry["size_bytes"] for entry in entries),
        "producer": "tests",
        "upstream_run_id": f"run_{snapshot_id}",
        "schema_version": 1,
        "data_quality_status": "passed",
        "compatibility_policy": "additive_only",
    }


def write_manifest(path: Path, document: Mapping[str, Any]) -> None:
    """Write a manifest under another name, then rename it: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document), encoding="utf-8")
    draft.replace(path)
