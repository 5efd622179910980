"""Write the cells of a column as JSON text, for as many rows at once as are asked for.

The text is what `query.cell_text` says: exact numbers, ISO 8601 dates and times, raw UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from json import JSONEncoder
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from offloader.catalog.types import Kind
from offloader.segment.build_row_numbers import (
    decimal_texts,
    double_texts,
    integer_texts,
    mended,
)
from offloader.segment.build_row_times import date_texts, timestamp_texts
from offloader.segment.dictionary import Texts
from offloader.segment.layout import SLICE_BYTES
from offloader.segment.read import ColumnView, Rows

_QUOTED = frozenset({Kind.VARCHAR, Kind.DATE, Kind.TIMESTAMP})
_TO_ESCAPE = r'["\\\x00-\x1f]'
_LAST_CONTROL, _QUOTE, _BACKSLASH = 0x1F, ord('"'), ord("\\")
_MAX_STRING_BYTES = (1 << 31) - 1  # of an Arrow array with 32-bit offsets
_BOOLEANS = pa.array(["false", "true"])
_quoted = JSONEncoder(ensure_ascii=False).encode
_Write = Callable[[Rows], pa.StringArray]


@dataclass(frozen=True, slots=True, eq=False)
class CellWriter:
    """Writes one column: each cell is `mark`, its text, `mark`. The texts are never null."""

    mark: str
    texts: _Write


def cell_writer(view: ColumnView) -> CellWriter:
    """Return the writer of a column; what its dictionary holds is written here, once."""
    mark = '"' if view.type.kind in _QUOTED else ""
    if view.null_count == view.row_count:  # a dictionary of nothing has no text under the null
        return CellWriter("", lambda rows: pa.repeat("null", len(row_numbers(rows))))
    write = _writer(view)
    if view.valid is None:
        return CellWriter(mark, write)
    return CellWriter("", lambda rows: _or_null(view, rows, mark, write(rows)))


def _or_null(view: ColumnView, rows: Rows, mark: str, texts: pa.StringArray) -> pa.StringArray:
    if mark:
        texts = pc.binary_join_element_wise(mark, texts, mark, "")
    return pc.if_else(pa.array(view.is_valid(rows)), texts, "null")


def _writer(view: ColumnView) -> _Write:
    kind = view.type.kind
    if kind is Kind.JSON:
        assert view.json is not None
        source = _arrow_of(view.json)
        return lambda rows: _taken(source, row_numbers(rows))
    if kind is Kind.VARCHAR:
        assert isinstance(view.dictionary, Texts)
        words = _escaped(view.dictionary)
        return lambda rows: _taken(words, view.gather(rows))
    if kind is Kind.BOOLEAN:
        return lambda rows: _taken(_BOOLEANS, view.gather(rows))
    if kind is Kind.DECIMAL:
        return _decimal_writer(view)
    write = _WRITERS[kind]
    return lambda rows: write(view.gather(rows))


def _decimal_writer(view: ColumnView) -> _Write:
    scale = view.type.scale
    if view.dictionary is not None:
        numbers = decimal_texts(view.dictionary.bytes.view(np.int64), scale)
        return lambda rows: _taken(numbers, view.gather(rows))
    return lambda rows: decimal_texts(_words(view.gather(rows)), scale)


def _words(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    return words.reshape(-1)


def _escaped(words: Texts) -> pa.Array:
    """Return a dictionary with quotes, backslashes and controls escaped; not copied if none is."""
    found = _arrow_of(words)
    if not _has_to_escape(words.bytes):
        return found
    is_wrong = pc.match_substring_regex(found, _TO_ESCAPE)
    return mended(found, is_wrong, lambda text: _quoted(text)[1:-1])


def _has_to_escape(text: npt.NDArray[np.uint8]) -> bool:
    for at in range(0, len(text), SLICE_BYTES):
        piece = text[at : at + SLICE_BYTES]
        wrong = (piece <= _LAST_CONTROL) | (piece == _QUOTE) | (piece == _BACKSLASH)
        if wrong.any():
            return True
    return False


def _arrow_of(source: Texts) -> pa.Array:
    """Return texts as Arrow strings over the same bytes, with the narrower offsets if they fit."""
    buffers = [None, pa.py_buffer(source.offsets), pa.py_buffer(source.bytes)]
    found = pa.Array.from_buffers(pa.large_string(), len(source), buffers)
    return found if len(source.bytes) > _MAX_STRING_BYTES else found.cast(pa.string())


def _taken(source: pa.Array, numbers: npt.NDArray[Any]) -> pa.StringArray:
    return source.take(pa.array(numbers)).cast(pa.string())


def row_numbers(rows: Rows) -> npt.NDArray[np.int64]:
    """Return rows as numbers; a slice has both ends and step 1."""
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows.astype(np.int64)


_WRITERS: dict[Kind, Callable[[npt.NDArray[Any]], pa.StringArray]] = {
    Kind.INTEGER: integer_texts,
    Kind.BIGINT: integer_texts,
    Kind.DOUBLE: double_texts,
    Kind.DATE: lambda days: date_texts(days.astype(np.int64)),
    Kind.TIMESTAMP: timestamp_texts,
}
