"""Build the parts of a segment that are missing: tables in, part files out.

Deterministic: the bytes depend on the rows and the contract, not on how the rows were cut into
tables, on the number of threads, on time, host or process.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from offloader.catalog.model import Column
from offloader.segment.access_path import PartPlan, PathSpec
from offloader.segment.build_columns import MAX_ROWS, ColumnsRequest, build_columns
from offloader.segment.build_paths import build_path
from offloader.segment.build_row_texts import build_row_texts, limit_of
from offloader.segment.build_unique import count_duplicates
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import corrupt, verify
from offloader.segment.read import open_segment
from offloader.segment.row_text_spec import RowTextSpec


@dataclass(frozen=True, slots=True)
class PartTargets:
    """Where each part of a segment belongs; a file that exists already is used, not rebuilt.

    `files` is for who knows where the snapshot's files lie: `build_segment` leaves it alone.
    """

    columns: Path
    paths: tuple[tuple[PathSpec, Path], ...] = ()
    texts: tuple[tuple[RowTextSpec, Path], ...] = ()
    files: Path | None = None


def targets_of(plan: PartPlan, place: Callable[[str], Path]) -> PartTargets:
    """Return where the parts of a plan belong; `place` gives the path of a part's id."""
    return PartTargets(
        place(plan.columns_id),
        tuple((spec, place(part_id)) for spec, part_id in plan.paths),
        tuple((spec, place(part_id)) for spec, part_id in plan.texts),
        None if plan.files_id is None else place(plan.files_id),
    )


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

    Row texts are of the order of one of the paths, or of base order. Raises SnapshotRefused
    (`too_many_rows`, `decimal_out_of_range`), SegmentCorrupt when an existing part that others are
    made from is damaged, and OSError, such as a full disk; no part is left half done.
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
        written |= _build_texts(part, targets, pool, threads, written)
        return BuildReport(
            row_count=segment.row_count,
            null_counts={name: view.null_count for name, view in segment.columns.items()},
            duplicate_keys=count_duplicates(segment, unique) if unique else None,
            written_bytes=written,
        )


def _build_texts(
    columns: mmap.mmap,
    targets: PartTargets,
    pool: ThreadPoolExecutor,
    threads: int,
    fresh: Collection[Path],
) -> dict[Path, int]:
    """Write the missing row texts; parts that are not `fresh` are verified before they are used."""
    missing = [(spec, path) for spec, path in targets.texts if not path.exists()]
    orders = {spec.order for spec, _ in missing}
    needed = [path for spec, path in targets.paths if spec.columns in orders]
    parts = [_map(path) for path in needed]
    for path, part in zip(needed, parts, strict=True):
        if path not in fresh:
            verify(part)
    segment = open_segment(columns, parts)
    limit_bytes = limit_of(len(columns))
    return {
        path: build_row_texts(segment, spec, path, pool, limit_bytes=limit_bytes, ahead=threads + 1)
        for spec, path in missing
    }


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise corrupt("header", "the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
