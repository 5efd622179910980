"""Build one access path's part from an open columns part. Numpy only.

Where the path begins with the tenant column, base order has each tenant's rows together, so runs
of tenants are sorted one by one: in parallel, and with little memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.types import Kind
from offloader.segment.access_path import PathSpec
from offloader.segment.build_sort import (
    Bools,
    Field,
    Positions,
    Words,
    fields_of,
    key_column,
    pack,
    sorted_positions,
)
from offloader.segment.part_writer import PartWriter
from offloader.segment.path_view import KEY_BITS, KeyColumn
from offloader.segment.read import ColumnView, Segment

RUN_ROWS = 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """The sorted rows of one run: base rows, distinct keys and where each key starts."""

    rows: npt.NDArray[np.uint32]
    keys: Words
    starts: npt.NDArray[np.uint32]
    is_identity: bool


def build_path(segment: Segment, spec: PathSpec, path: Path, pool: Executor) -> int:
    """Write the part of the access path `spec` over `segment`; return its size in bytes.

    Raises OSError; KeyError when the segment lacks a column of the path.
    """
    measured = list(pool.map(partial(_measure, segment), spec.columns))
    key = _key_prefix(measured)
    sort_run = partial(_sort_run, segment, measured, len(key))
    runs = list(pool.map(sort_run, _cuts(segment, spec)))
    key_bits = sum(column.bits for column in key)
    key_dtype = np.dtype(np.uint32 if key_bits <= np.iinfo(np.uint32).bits else np.uint64)
    group_count = sum(len(run.keys) for run in runs)
    is_identity = all(run.is_identity for run in runs)
    with PartWriter(path) as part:
        if not is_identity:
            part.add_pieces("rows", np.uint32, (run.rows for run in runs))
        part.add_pieces("keys", key_dtype, (run.keys.astype(key_dtype) for run in runs))
        if group_count < segment.row_count:
            end = np.array([segment.row_count], np.uint32)
            part.add_pieces("starts", np.uint32, [*(run.starts for run in runs), end])
        return part.finish(
            {
                "kind": "path",
                "dataset": segment.dataset,
                "snapshot_id": segment.snapshot_id,
                "manifest_digest": segment.manifest_digest,
                "row_count": segment.row_count,
                "tenant_column": segment.tenant_column,
                "columns": list(spec.columns),
                "identity": is_identity,
                "key": [column.as_json() for column in key],
            }
        )


def _measure(segment: Segment, name: str) -> KeyColumn:
    column = segment.columns[name]
    values, valid = _rows_of(column, slice(None))
    return key_column(name, values, valid, is_double=column.type.kind is Kind.DOUBLE)


def _key_prefix(measured: Sequence[KeyColumn]) -> list[KeyColumn]:
    """Return the longest prefix that fits one word, each column with its place in it."""
    fitting: list[KeyColumn] = []
    bits = 0
    for column in measured:
        bits += column.bits
        if bits > KEY_BITS:
            break
        fitting.append(column)
    shift = sum(column.bits for column in fitting)
    placed = []
    for column in fitting:
        shift -= column.bits
        placed.append(replace(column, shift=shift))
    return placed


def _cuts(segment: Segment, spec: PathSpec) -> Iterator[tuple[int, int]]:
    """Yield base row ranges that sort on their own, in order: whole tenants, or all rows."""
    first, count = 0, segment.row_count
    if spec.columns[0] == segment.tenant_column:
        starts = _group_starts(segment.columns[spec.columns[0]])
        while (at := starts.searchsorted(first + RUN_ROWS)) < len(starts):
            yield first, int(starts[at])
            first = int(starts[at])
    yield first, count


def _group_starts(column: ColumnView) -> Positions:
    """Return where a value differs from the row before, int64."""
    values, valid = _rows_of(column, slice(None))
    differs = values[1:] != values[:-1]
    if valid is not None:
        differs |= valid[1:] != valid[:-1]
    return np.flatnonzero(differs) + 1


def _sort_run(
    segment: Segment, measured: Sequence[KeyColumn], key_length: int, cut: tuple[int, int]
) -> _Run:
    first, last = cut
    count = last - first
    fields = []
    for column in measured:
        values, valid = _rows_of(segment.columns[column.column], slice(first, last))
        fields.append(fields_of(column, values, valid))
    order = sorted_positions([*chain(*fields), *_tie_break(segment, measured)], count)
    words = pack([*chain(*fields[:key_length])], count).take(order)
    starts = np.flatnonzero(
        np.concatenate([np.ones(min(count, 1), np.bool_), words[1:] != words[:-1]])
    )
    return _Run(
        rows=(order + first).astype(np.uint32),
        keys=words.take(starts),
        starts=(starts + first).astype(np.uint32),
        is_identity=bool((order[1:] > order[:-1]).all()),
    )


def _tie_break(segment: Segment, measured: Sequence[KeyColumn]) -> list[Field]:
    """Return the source order as a last field, where base order does not imply it."""
    if segment.ordinal is None or any(c.column == segment.tenant_column for c in measured):
        return []
    return [Field(segment.ordinal.astype(np.uint64), segment.row_count.bit_length())]


def _rows_of(column: ColumnView, rows: slice) -> tuple[npt.NDArray[Any], Bools | None]:
    return column.gather(rows), column.is_valid(rows)
