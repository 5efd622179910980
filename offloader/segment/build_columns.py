"""Build a columns part: encode tables as they arrive, put rows in base order, write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from offloader.catalog.model import Column
from offloader.catalog.types import Kind
from offloader.errors import SnapshotRefused
from offloader.segment.build_arrow import text_buffers
from offloader.segment.build_encode import Encoder, Physical, encoder_of
from offloader.segment.build_sort import Positions, fields_of, key_column, sorted_positions
from offloader.segment.build_tasks import map_ahead
from offloader.segment.facts import SnapshotFacts
from offloader.segment.part_writer import PartWriter

MAX_ROWS = (1 << 32) - 1
PIECE_ROWS = 1 << 20
SUMMED_AS_INTEGERS = frozenset({Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL})
_Pieces = Iterable[npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ColumnsRequest:
    """What a columns part holds and where it goes; `max_rows` is how far row numbers reach."""

    columns: tuple[Column, ...]
    tenant_column: str | None
    facts: SnapshotFacts
    path: Path
    max_rows: int = MAX_ROWS


def build_columns(tables: Iterable[pa.Table], request: ColumnsRequest, pool: Executor) -> int:
    """Write the columns part of `tables`' rows and return its size in bytes.

    Raises SnapshotRefused (`too_many_rows`, `decimal_out_of_range`) and OSError.
    """
    encoders = {c.name: encoder_of(c.type) for c in request.columns}
    row_count = _encode(tables, encoders, request.max_rows, pool)
    tenant = request.tenant_column
    ready = {} if tenant is None else {tenant: encoders[tenant].finish()}
    order = None if tenant is None else _base_order(ready[tenant])

    def prepare(column: Column) -> _Prepared:
        found = ready.pop(column.name, None) or encoders[column.name].finish()
        return _prepare(column, found, order)

    with PartWriter(request.path) as part:
        if order is not None:
            part.add("ordinal", order.astype(np.uint32))
        entries = []
        for prepared in map_ahead(pool, prepare, request.columns, ahead=2):
            entries.append(_column_entry(prepared))
            for suffix, dtype, pieces in prepared.buffers:
                part.add_pieces(f"{prepared.column.name}.{suffix}", dtype, pieces)
        return part.finish(_descriptor(request, row_count, entries))


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    column: Column
    null_count: int
    reach: int | None
    buffers: tuple[tuple[str, npt.DTypeLike, _Pieces], ...]


def _encode(
    tables: Iterable[pa.Table], encoders: Mapping[str, Encoder], max_rows: int, pool: Executor
) -> int:
    """Feed every table to the encoders, the next table being read meanwhile; count the rows."""
    row_count = 0
    pending: Iterator[None] = iter(())
    for table in tables:
        row_count += table.num_rows
        if row_count > max_rows:
            raise SnapshotRefused(
                "too_many_rows",
                f"a snapshot holds at most {max_rows} rows",
                "publish fewer rows, or split the dataset",
            )
        for _ in pending:
            pass
        pending = pool.map(_add, encoders.values(), [table.column(name) for name in encoders])
    for _ in pending:
        pass
    return row_count


def _add(encoder: Encoder, column: pa.ChunkedArray) -> None:
    for chunk in column.chunks:
        encoder.add(chunk)


def _base_order(tenant: Physical) -> Positions | None:
    """Return the source row of each base row; None when the source is in that order already."""
    assert tenant.values is not None
    is_double = tenant.values.dtype.kind == "f"
    column = key_column("", tenant.values, tenant.valid, is_double=is_double)
    fields = fields_of(column, tenant.values, tenant.valid)
    order = sorted_positions(fields, len(tenant.values))
    return None if (order[1:] > order[:-1]).all() else order


def _prepare(column: Column, found: Physical, order: Positions | None) -> _Prepared:
    buffers: list[tuple[str, npt.DTypeLike, _Pieces]] = []
    if found.values is not None:
        values = found.values if order is None else found.values.take(order)
        buffers.append(("values", values.dtype, (values,)))
    if found.text is not None:
        buffers += _json_buffers(found.text, order)
    if found.valid is not None:
        valid = found.valid if order is None else found.valid.take(order)
        buffers.append(("valid", np.uint8, (np.packbits(valid, bitorder="little"),)))
    buffers += [(suffix, array.dtype, (array,)) for suffix, array in found.dictionary]
    return _Prepared(column, found.null_count, reach_of(column, found), tuple(buffers))


def reach_of(column: Column, found: Physical) -> int | None:
    """Return the greatest distance of a value from 0, where sums are sums of 64-bit integers."""
    values = found.values
    if column.type.kind not in SUMMED_AS_INTEGERS or values is None or values.dtype.kind != "i":
        return None
    return max(-int(values.min()), int(values.max())) if len(values) else 0


def _json_buffers(
    text: pa.LargeStringArray, order: Positions | None
) -> list[tuple[str, npt.DTypeLike, _Pieces]]:
    rows = np.arange(len(text), dtype=np.int64) if order is None else order
    lengths = pc.fill_null(pc.binary_length(text), 0).to_numpy().take(rows)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    cuts = [*range(0, len(rows), PIECE_ROWS), len(rows)]
    pieces = (text_buffers(text.take(pa.array(rows[a:b])))[1] for a, b in pairwise(cuts))
    return [("offsets", np.int64, (offsets,)), ("bytes", np.uint8, pieces)]


def _descriptor(
    request: ColumnsRequest, row_count: int, columns: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "kind": "columns",
        **asdict(request.facts),
        "row_count": row_count,
        "tenant_column": request.tenant_column,
        "columns": columns,
    }


def _column_entry(prepared: _Prepared) -> dict[str, object]:
    column = prepared.column
    return {
        "name": column.name,
        "type": str(column.type),
        "nulls": prepared.null_count,
        "reach": prepared.reach,
    }
