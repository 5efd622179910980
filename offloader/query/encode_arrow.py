"""Encode: a result into an Arrow IPC stream: the schema, one record batch, the end.

    BOOLEAN        bool                DECIMAL(p,s)   decimal128(p,s)
    INTEGER        int32               VARCHAR        utf8
    BIGINT         int64               DATE           date32
    DOUBLE         float64             TIMESTAMP      timestamp[us, UTC]
    JSON           utf8 with the extension name arrow.json (Arrow's canonical extension types)

    count, sum of INTEGER     int64 (at most 2**32 rows of 32 bits: it cannot wrap)
    sum of BIGINT             decimal128(38,0)
    sum of DECIMAL(p,s)       decimal128(38,s)
    sum of DOUBLE, avg        float64

Types follow the contract, never the values. The schema's metadata holds `offloader.meta`: the
`meta` of the JSON answer as JSON text. What a null's slot holds is zero, so that equal rows are
equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any

import nanoarrow as na
import numpy as np
import numpy.typing as npt
from nanoarrow.ipc import StreamWriter

from offloader.catalog.types import MAX_DECIMAL_PRECISION, ColumnType, Kind
from offloader.errors import RequestError
from offloader.query.cells import Cells
from offloader.query.encode import page_meta
from offloader.query.execute import Result
from offloader.query.params import Bound
from offloader.query.plan import Output, Plan
from offloader.segment.dictionary import DecimalDictionary, Texts

META_KEY = "offloader.meta"
WRITER = f"nanoarrow/{na.__version__}"  # its version may change a byte, never a value

_BIGINT = ColumnType(Kind.BIGINT)
_DOUBLE = ColumnType(Kind.DOUBLE)
_DECIMAL_BYTES = 16
_DECIMAL_LIMIT = 10**MAX_DECIMAL_PRECISION
_MAX_TEXT_BYTES = 2**31 - 1  # offsets of utf8 are 32 bits, signed

_Buffer = npt.NDArray[Any] | bytes


def encode_arrow(plan: Plan, bound: Bound, result: Result, *, stale: bool) -> bytes:
    """Return the page as an Arrow IPC stream (format version 5, little-endian).

    Raises RequestError 406 when a sum has more than 38 digits or the texts of one column more
    than 2 GiB: JSON can hold both.
    """
    types = [arrow_type(plan.outputs[alias]) for alias in bound.columns]
    schema = _schema(tuple(zip(bound.columns, types, strict=True)))
    children = [
        na.c_array_from_buffers(child, len(cells), _buffers(kind.kind, cells), null_count=-1)
        for child, kind, cells in zip(schema.children, types, result.columns, strict=True)
    ]
    meta = page_meta(plan, bound, result, stale=stale)
    batch = na.c_array_from_buffers(
        schema.modify(metadata={META_KEY: meta}),
        result.row_count,
        [None],
        children=children,
        null_count=0,
    )
    body = BytesIO()
    with StreamWriter.from_writable(body) as writer:
        writer.write_stream(batch)
    return body.getvalue()


def arrow_type(output: Output) -> ColumnType:
    """Return the type that an output's values have, whatever they are."""
    column_type, agg = output.view.type, output.agg
    if agg in ("count", "count_distinct"):
        return _BIGINT
    if agg == "avg":
        return _DOUBLE
    if agg == "sum" and column_type.kind is Kind.INTEGER:
        return _BIGINT
    if agg == "sum" and column_type.kind is not Kind.DOUBLE:
        return ColumnType(Kind.DECIMAL, MAX_DECIMAL_PRECISION, column_type.scale)
    return column_type


@lru_cache(maxsize=512)
def _schema(fields: tuple[tuple[str, ColumnType], ...]) -> Any:
    """Return the C schema of a record batch; kept, because making one is most of a small page."""
    return na.c_schema(
        na.struct({name: _ARROW_TYPES[kind.kind](kind) for name, kind in fields}, nullable=False)
    )


def _buffers(kind: Kind, cells: Cells) -> list[_Buffer | None]:
    """Return validity, values or offsets, and bytes, as Arrow's columnar layout has them."""
    valid = cells.valid
    if kind is Kind.DOUBLE:
        finite = np.isfinite(cells.values)
        valid = finite if valid is None else valid & finite
    if valid is not None and valid.all():
        valid = None
    validity = None if valid is None else np.packbits(valid, bitorder="little")
    if isinstance(cells.dictionary, Texts):
        return [validity, *_text_buffers(cells.dictionary, cells.values, valid)]
    if isinstance(cells.dictionary, DecimalDictionary):
        return [validity, _dictionary_decimals(cells.dictionary, cells.values, valid)]
    values = cells.values if valid is None else np.where(valid, cells.values, 0)
    return [validity, _VALUES[kind](values)]


def _text_buffers(
    texts: Texts, codes: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
) -> tuple[npt.NDArray[np.int32], _Buffer]:
    present = (codes if valid is None else codes[valid]).astype(np.int64)
    starts, ends = texts.offsets[present], texts.offsets[present + 1]
    lengths = np.zeros(len(codes), np.int64)
    lengths[slice(None) if valid is None else valid] = ends - starts
    offsets = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] > _MAX_TEXT_BYTES:
        raise _too_large("texts of more than 2 GiB in one column")
    if len(present) and np.array_equal(starts[1:], ends[:-1]):
        return offsets.astype(np.int32), texts.bytes[starts[0] : ends[-1]]
    source = texts.bytes.data
    pieces = [source[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return offsets.astype(np.int32), b"".join(pieces)


def _dictionary_decimals(
    numbers: DecimalDictionary, codes: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.uint8]:
    present = slice(None) if valid is None else valid
    found = np.zeros((len(codes), _DECIMAL_BYTES), np.uint8)
    found[present] = numbers.bytes.reshape(-1, _DECIMAL_BYTES)[codes[present]]
    return found


def _decimals(values: npt.NDArray[Any]) -> _Buffer:
    """Return unscaled integers as 128 bits, two's complement, little-endian."""
    if values.dtype.kind != "O":
        words = np.empty((len(values), 2), np.int64)
        words[:, 0] = values
        words[:, 1] = words[:, 0] >> 63
        return words
    if any(not -_DECIMAL_LIMIT < number < _DECIMAL_LIMIT for number in values):
        raise _too_large("a sum of more than 38 digits")
    return b"".join([int(n).to_bytes(_DECIMAL_BYTES, "little", signed=True) for n in values])


def _too_large(what: str) -> RequestError:
    message = f"the answer holds {what}, which Arrow cannot: send Accept: application/json"
    return RequestError(406, "invalid_request", "not_acceptable", message)


_VALUES: Mapping[Kind, Callable[[npt.NDArray[Any]], _Buffer]] = {
    Kind.BOOLEAN: lambda values: np.packbits(values, bitorder="little"),
    Kind.INTEGER: lambda values: values.astype(np.int32, copy=False),
    Kind.BIGINT: lambda values: values.astype(np.int64, copy=False),
    Kind.DOUBLE: lambda values: values.astype(np.float64, copy=False),
    Kind.DECIMAL: _decimals,
    Kind.DATE: lambda values: values.astype(np.int32, copy=False),
    Kind.TIMESTAMP: lambda values: values.astype(np.int64, copy=False),
}
_ARROW_TYPES: Mapping[Kind, Callable[[ColumnType], Any]] = {
    Kind.BOOLEAN: lambda _: na.bool_(),
    Kind.INTEGER: lambda _: na.int32(),
    Kind.BIGINT: lambda _: na.int64(),
    Kind.DOUBLE: lambda _: na.float64(),
    Kind.DECIMAL: lambda found: na.decimal128(found.precision, found.scale),
    Kind.VARCHAR: lambda _: na.string(),
    Kind.DATE: lambda _: na.date32(),
    Kind.TIMESTAMP: lambda _: na.timestamp("us", "UTC"),
    Kind.JSON: lambda _: na.extension_type(na.string(), "arrow.json", b""),
}
