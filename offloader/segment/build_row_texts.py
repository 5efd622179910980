"""Build a part of row texts: every row of an open segment as JSON, in the order of one path.

Piece by piece, several at a time: Arrow writes each column's cells as strings and joins them row
by row, and what it made goes to the file as it lies in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from offloader.segment.build_row_cells import CellWriter, cell_writer, row_numbers
from offloader.segment.build_tasks import map_ahead
from offloader.segment.dictionary import Texts
from offloader.segment.part_writer import PartWriter
from offloader.segment.path_view import PathView
from offloader.segment.read import ColumnView, Rows, Segment
from offloader.segment.row_text_spec import RowTextSpec

PIECE_ROWS = 1 << 16
PIECE_BYTES = 32 << 20
MIN_LIMIT_BYTES = 64 << 20
LIMIT_FACTOR = 5
_NARROW = np.iinfo(np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """The texts of some rows, and where each ends: uint32, counted from the piece's start."""

    text: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.uint32]


class _OverBudget(Exception):
    def __init__(self, wanted_bytes: int) -> None:
        super().__init__(wanted_bytes)
        self.wanted_bytes = wanted_bytes


def limit_of(columns_bytes: int) -> int:
    """Return how many bytes a part of row texts may take beside a columns part of this size."""
    return max(MIN_LIMIT_BYTES, LIMIT_FACTOR * columns_bytes)


def build_row_texts(
    segment: Segment,
    spec: RowTextSpec,
    path: Path,
    pool: Executor,
    *,
    limit_bytes: int,
    ahead: int = 2,
) -> int:
    """Write the part of the row texts `spec` over `segment`; return its size in bytes.

    The segment has the access path that orders them. `ahead` bounds how many pieces wait. What
    would take more than `limit_bytes` becomes a part that only says so. Raises OSError; KeyError
    when the segment lacks a column or the path.
    """
    order = _order_of(segment, spec)
    try:
        with PartWriter(path) as part:
            _write(part, segment, spec, order, pool, limit_bytes, ahead)
            return part.finish(_descriptor(segment, spec, {"skipped": False}))
    except _OverBudget as found:
        sizes = {"wanted_bytes": found.wanted_bytes, "limit_bytes": limit_bytes}
        with PartWriter(path) as part:
            return part.finish(_descriptor(segment, spec, {"skipped": True, **sizes}))


def _write(
    part: PartWriter,
    segment: Segment,
    spec: RowTextSpec,
    order: npt.NDArray[np.uint32] | None,
    pool: Executor,
    limit_bytes: int,
    ahead: int,
) -> None:
    views = [segment.columns[name] for _, name in spec.columns]
    aliases = [alias for alias, _ in spec.columns]
    writers = [cell_writer(view) for view in views]
    other_bytes = _NARROW.dtype.itemsize * (segment.row_count + 1)
    other_bytes += 0 if order is None else order.nbytes
    ends: list[npt.NDArray[np.uint32]] = []

    def pieces() -> Iterator[npt.NDArray[np.uint8]]:
        size, rows_done = 0, 0
        cut = _cuts(views, order, segment.row_count)
        for piece in map_ahead(pool, lambda rows: _joined(aliases, writers, rows), cut, ahead):
            size += len(piece.text)
            rows_done += len(piece.ends)
            if size + other_bytes > limit_bytes:
                raise _OverBudget(size * segment.row_count // rows_done + other_bytes)
            ends.append(piece.ends)
            yield piece.text

    part.add_pieces("bytes", np.uint8, pieces())
    part.add_pieces("offsets", _offset_dtype(ends), _offsets(ends))
    if order is not None:
        part.add("places", _inverse(order))


def _order_of(segment: Segment, spec: RowTextSpec) -> npt.NDArray[np.uint32] | None:
    """Return the base row at each position, None for base order."""
    return _path_of(segment, spec.order).base_rows if spec.order else None


def _path_of(segment: Segment, columns: tuple[str, ...]) -> PathView:
    for path in segment.paths:
        if path.columns == columns:
            return path
    raise KeyError(f"the segment has no access path {columns}")


def _joined(aliases: Sequence[str], writers: Sequence[CellWriter], rows: Rows) -> _Piece:
    parts: list[Any] = []
    between = "{"
    for alias, writer in zip(aliases, writers, strict=True):
        parts += [f'{between}"{alias}":{writer.mark}', writer.texts(rows)]
        between = f"{writer.mark},"
    parts.append(f"{between[:-1]}}},")
    return _string_buffers(pc.binary_join_element_wise(*parts, ""))


def _string_buffers(texts: pa.StringArray) -> _Piece:
    """Look at freshly joined strings as they lie in memory: they begin at 0 and none is null."""
    _, offsets, text = texts.buffers()
    ends = np.frombuffer(offsets, np.uint32)[1 : len(texts) + 1]
    return _Piece(np.frombuffer(text, np.uint8)[: ends[-1]], ends)


def _offset_dtype(ends: Sequence[npt.NDArray[np.uint32]]) -> npt.DTypeLike:
    size = sum(int(piece[-1]) for piece in ends)
    return np.uint32 if size <= _NARROW.max else np.int64


def _offsets(ends: Sequence[npt.NDArray[np.uint32]]) -> Iterator[npt.NDArray[np.int64]]:
    size = 0
    yield np.zeros(1, np.int64)
    for piece in ends:
        yield piece + np.int64(size)
        size += int(piece[-1])


def _inverse(order: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    places = np.empty(len(order), np.uint32)
    places[order] = np.arange(len(order), dtype=np.uint32)
    return places


def _cuts(
    views: Sequence[ColumnView], order: npt.NDArray[np.uint32] | None, row_count: int
) -> Iterator[Rows]:
    """Yield the rows of each piece: as many as PIECE_ROWS, fewer where their texts are long."""
    long = [view for view in views if _longest(view) * PIECE_ROWS > PIECE_BYTES]
    for first in range(0, row_count, PIECE_ROWS):
        last = min(first + PIECE_ROWS, row_count)
        rows = slice(first, last) if order is None else order[first:last]
        ends = [0, last - first]
        if long:
            filled = np.cumsum(sum(_lengths(view, rows) for view in long)) // PIECE_BYTES
            ends[1:1] = (np.flatnonzero(np.diff(filled)) + 1).tolist()
        for a, b in pairwise(ends):
            yield slice(first + a, first + b) if order is None else order[first + a : first + b]


def _texts_of(view: ColumnView) -> Texts | None:
    return view.dictionary if isinstance(view.dictionary, Texts) else view.json


def _longest(view: ColumnView) -> int:
    """Return the length of a column's longest text, 0 for a column of none."""
    texts = _texts_of(view)
    if texts is None:
        return 0
    starts = range(0, len(texts), PIECE_ROWS)
    pieces = (np.diff(texts.offsets[at : at + PIECE_ROWS + 1]) for at in starts)
    return max((int(piece.max()) for piece in pieces), default=0)


def _lengths(view: ColumnView, rows: Rows) -> npt.NDArray[np.int64]:
    texts = _texts_of(view)
    assert texts is not None
    numbers = row_numbers(rows) if view.json is not None else view.gather(rows).astype(np.int64)
    found: npt.NDArray[np.int64] = texts.offsets[numbers + 1] - texts.offsets[numbers]
    return found


def _descriptor(
    segment: Segment, spec: RowTextSpec, found: Mapping[str, object]
) -> dict[str, object]:
    return {
        "kind": "row_texts",
        "dataset": segment.dataset,
        "snapshot_id": segment.snapshot_id,
        "manifest_digest": segment.manifest_digest,
        "row_count": segment.row_count,
        "tenant_column": segment.tenant_column,
        "columns": [list(pair) for pair in spec.columns],
        "order": list(spec.order),
        **found,
    }
