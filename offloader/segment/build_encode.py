"""Turn Arrow columns, table by table, into the physical arrays of the format.

Strings and wide decimals become codes as each table arrives, so that their values are held once
per table and not once per row. The value of a null row is always 0: equal rows, equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from offloader.catalog.types import ColumnType, Kind
from offloader.errors import SnapshotRefused
from offloader.segment.build_arrow import buffer_values, cast, join_valid, valid_of
from offloader.segment.build_dictionary import dictionary_buffers, encode_chunk, sorted_union
from offloader.segment.build_sort import Bools
from offloader.segment.read import MAX_INT64_PRECISION

_FIXED: dict[Kind, tuple[pa.DataType, pa.DataType, type[np.generic]]] = {
    Kind.BOOLEAN: (pa.bool_(), pa.uint8(), np.uint8),
    Kind.INTEGER: (pa.int32(), pa.int32(), np.int32),
    Kind.BIGINT: (pa.int64(), pa.int64(), np.int64),
    Kind.DOUBLE: (pa.float64(), pa.float64(), np.float64),
    Kind.DATE: (pa.date32(), pa.int32(), np.int32),
    Kind.TIMESTAMP: (pa.timestamp("us", "UTC"), pa.int64(), np.int64),
}


@dataclass(frozen=True, slots=True, eq=False)
class Physical:
    """One whole column in source order; JSON has `text` in place of `values`.

    `valid` is None when no row is null. `dictionary` holds further buffers by suffix.
    """

    values: npt.NDArray[Any] | None
    valid: Bools | None
    dictionary: tuple[tuple[str, npt.NDArray[Any]], ...] = ()
    text: pa.LargeStringArray | None = None

    @property
    def null_count(self) -> int:
        """Return how many rows are null."""
        return 0 if self.valid is None else int(np.count_nonzero(~self.valid))


class Encoder(Protocol):
    """Collects one column's chunks."""

    def add(self, chunk: pa.Array) -> None:
        """Take the next rows."""

    def finish(self) -> Physical:
        """Return the whole column and let go of the chunks."""


def encoder_of(column_type: ColumnType) -> Encoder:
    """Return a fresh encoder for a column of this type."""
    if column_type.kind is Kind.JSON:
        return _JsonText()
    if column_type.kind is Kind.VARCHAR:
        return _Coded(pa.large_binary())
    if column_type.kind is Kind.DECIMAL:
        decimal = pa.decimal128(column_type.precision, column_type.scale)
        is_wide = column_type.precision > MAX_INT64_PRECISION
        return _Coded(decimal) if is_wide else _NarrowDecimal(decimal)
    return _FixedWidth(*_FIXED[column_type.kind])


class _Chunks:
    """Values and validity of the chunks so far, in source order."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._values: list[npt.NDArray[Any]] = []
        self._valid: list[Bools | None] = []

    def append(self, values: npt.NDArray[Any], valid: Bools | None) -> None:
        if valid is not None and valid.all():
            valid = None
        self._values.append(
            values if valid is None else np.where(valid, values, values.dtype.type())
        )
        self._valid.append(valid)

    def finish(self) -> tuple[npt.NDArray[Any], Bools | None]:
        lengths = [len(values) for values in self._values]
        whole = np.concatenate([*self._values, np.empty(0, self._dtype)], dtype=self._dtype)
        valid = join_valid(self._valid, lengths)
        self._values.clear()
        self._valid.clear()
        return whole, valid


class _FixedWidth:
    def __init__(self, arrow: pa.DataType, bits: pa.DataType, dtype: npt.DTypeLike) -> None:
        self._arrow, self._bits = arrow, bits
        self._chunks = _Chunks(dtype)

    def add(self, chunk: pa.Array) -> None:
        chunk = cast(chunk, self._arrow)
        valid = valid_of(chunk)
        is_bool = pa.types.is_boolean(chunk.type)
        plain = chunk.cast(self._bits) if is_bool else chunk.view(self._bits)
        values = buffer_values(plain, plain.type.to_pandas_dtype())
        if pa.types.is_floating(chunk.type):
            finite = np.isfinite(values)
            valid = finite if valid is None else valid & finite
        self._chunks.append(values, valid)

    def finish(self) -> Physical:
        return Physical(*self._chunks.finish())


class _NarrowDecimal:
    def __init__(self, arrow: pa.DataType) -> None:
        self._arrow = arrow
        self._chunks = _Chunks(np.int64)

    def add(self, chunk: pa.Array) -> None:
        chunk = cast(chunk, self._arrow)
        words = buffer_values(chunk, np.int64, words=2)
        low, high = words[0::2], words[1::2]
        valid = valid_of(chunk)
        too_wide = high != low >> 63
        if (too_wide if valid is None else too_wide & valid).any():
            raise SnapshotRefused(
                "decimal_out_of_range",
                f"a {self._arrow} column holds a number with more digits than its type has",
                "publish the snapshot again with a wider DECIMAL",
            )
        self._chunks.append(np.ascontiguousarray(low), valid)

    def finish(self) -> Physical:
        return Physical(*self._chunks.finish())


class _Coded:
    """Codes over a sorted dictionary; until `finish`, over one dictionary per chunk."""

    def __init__(self, arrow: pa.DataType) -> None:
        self._arrow = arrow
        self._dictionaries: list[pa.Array] = []
        self._codes: list[npt.NDArray[Any]] = []
        self._valid: list[Bools | None] = []

    def add(self, chunk: pa.Array) -> None:
        dictionary, codes, valid = encode_chunk(chunk, self._arrow)
        self._dictionaries.append(dictionary)
        self._codes.append(codes)
        self._valid.append(valid)

    def finish(self) -> Physical:
        dictionary, ranks = sorted_union(self._dictionaries, self._arrow)
        valid = join_valid(self._valid, [len(codes) for codes in self._codes])
        codes = np.zeros(
            sum(map(len, self._codes)), np.min_scalar_type(max(len(dictionary) - 1, 0))
        )
        end = 0
        for rank, local in zip(ranks, self._codes, strict=True):
            start, end = end, end + len(local)
            if len(rank):
                np.take(rank.astype(codes.dtype), local, out=codes[start:end], mode="clip")
        self._codes.clear()
        if valid is not None:
            codes[~valid] = 0
        return Physical(codes, valid, dictionary_buffers(dictionary))


class _JsonText:
    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []

    def add(self, chunk: pa.Array) -> None:
        self._chunks.append(cast(chunk, pa.large_string()))

    def finish(self) -> Physical:
        text = pa.concat_arrays([*self._chunks, pa.array([], pa.large_string())])
        self._chunks.clear()
        return Physical(None, valid_of(text), text=text)
