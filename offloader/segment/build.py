"""Build the parts of a segment that are missing: tables in, part files out.

Deterministic: the bytes depend on the rows and the contract, not on how the rows were cut into
tables, on the number of threads, on time, host or process.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from offloader.catalog.model import Column
from offloader.segment.access_path import PathSpec
from offloader.segment.build_columns import MAX_ROWS, ColumnsRequest, build_columns
from offloader.segment.build_paths import build_path
from offloader.segment.build_unique import count_duplicates
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import corrupt, verify
from offloader.segment.read import open_segment


@dataclass(frozen=True, slots=True)
class PartTargets:
    """Where each part of a segment belongs; a file that exists already is used, not rebuilt."""

    columns: Path
    paths: tuple[tuple[PathSpec, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build found and wrote.

    `null_counts` is by column. `duplicate_keys` counts rows whose unique key occurred earlier,
    None when no key was asked for. `written_bytes` is by file, of the files this build wrote.
    """

    row_count: int
    null_counts: Mapping[str, int]
    duplicate_keys: int | None
    written_bytes: Mapping[Path, int]


def build_segment(
    tables: Iterable[pa.Table],
    columns: tuple[Column, ...],
    tenant_column: str | None,
    targets: PartTargets,
    facts: SnapshotFacts,
    *,
    unique: Sequence[str] = (),
    threads: int = 1,
    max_rows: int = MAX_ROWS,
) -> BuildReport:
    """Write every part of `targets` that does not exist yet.

    `tables` hold `columns` in the contract's Arrow types, rows in source order; they are not
    asked for when the columns part exists. NaN and infinities become null. `max_rows` is the
    greatest number of rows a segment can number.

    Raises SnapshotRefused (`too_many_rows`, `decimal_out_of_range`), SegmentCorrupt when an
    existing columns part is damaged, and OSError, such as a full disk; no part is left half done.
    """
    written: dict[Path, int] = {}
    with ThreadPoolExecutor(max_workers=threads) as pool:
        if not targets.columns.exists():
            request = ColumnsRequest(columns, tenant_column, facts, targets.columns, max_rows)
            written[targets.columns] = build_columns(tables, request, pool)
        part = _map(targets.columns)
        if targets.columns not in written:
            verify(part)
        segment = open_segment(part)
        for spec, path in targets.paths:
            if not path.exists():
                written[path] = build_path(segment, spec, path, pool)
        return BuildReport(
            row_count=segment.row_count,
            null_counts={name: view.null_count for name, view in segment.columns.items()},
            duplicate_keys=count_duplicates(segment, unique) if unique else None,
            written_bytes=written,
        )


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise corrupt("header", "the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
