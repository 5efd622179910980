"""Bring a file's column into the Arrow type its column type is delivered in.

NaN and infinities become null. Times without a zone are UTC; digits finer than a microsecond are
dropped, towards the past. Dates and times lie in the years 1 to 9999, as ISO 8601 writes them.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from offloader.catalog.types import ColumnType, Kind
from offloader.sources.arrow_time import dates, moments
from offloader.sources.arrow_types import CODED_TEXT, arrow_type, is_text
from offloader.sources.json_minify import minified
from offloader.sources.json_text import nested_texts


class BadValueError(ValueError):
    """A value cannot be read as its column's type: `row` is its place in the array, from 0."""

    def __init__(self, row: int, code: str, rule: str) -> None:
        super().__init__(rule)
        self.row = row
        self.code = code
        self.rule = rule


def read_as(wanted: ColumnType, array: pa.Array) -> pa.Array:
    """Return `array` in the type `arrow_type(wanted)`, a VARCHAR also coded or large.

    `array` is of a type that `wanted` accepts, or a string array for a TIMESTAMP. Raises
    BadValueError for the first value that cannot be read; its text never holds the value.
    """
    try:
        return _read(wanted, array)
    except pa.ArrowInvalid:
        if at.is_dictionary(array.type):  # whose bad entry may stand anywhere, or nowhere
            return read_as(wanted, array.dictionary_decode())
        code, rule = _RULES.get(wanted.kind, ("value_invalid", f"it does not fit {wanted}"))
        raise BadValueError(_first_bad(wanted, array), code, rule) from None


def _first_bad(wanted: ColumnType, array: pa.Array) -> int:
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _read(wanted, array.slice(low, middle - low))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _read(wanted: ColumnType, array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    array.validate(full=True)
    if at.is_dictionary(array.type) and not _stays_coded(wanted, array):
        array = array.dictionary_decode()
    return _READERS.get(wanted.kind, _cast)(wanted, array)


def _stays_coded(wanted: ColumnType, array: pa.DictionaryArray) -> bool:
    is_coded_text = is_text(array.type.value_type) and not array.dictionary.null_count
    return is_coded_text and wanted.kind in (Kind.VARCHAR, Kind.JSON)


def _cast(wanted: ColumnType, array: pa.Array) -> pa.Array:
    target = arrow_type(wanted)
    return array if array.type == target else array.cast(target)


def _read_double(wanted: ColumnType, array: pa.Array) -> pa.Array:
    values = _cast(wanted, array)
    finite = pc.is_finite(values)
    if pc.all(finite, min_count=0).as_py():
        return values
    return pc.if_else(finite, values, pa.scalar(None, values.type))


def _read_text(_wanted: ColumnType, array: pa.Array) -> pa.Array:
    if at.is_dictionary(array.type):
        return array if array.type == CODED_TEXT else _coded(array)
    return array if at.is_large_string(array.type) else _cast(ColumnType(Kind.VARCHAR), array)


def _coded(array: pa.DictionaryArray) -> pa.DictionaryArray:
    codes, texts = array.indices.cast(pa.int32()), array.dictionary.cast(pa.string())
    return pa.DictionaryArray.from_arrays(codes, texts)


def _read_json(_wanted: ColumnType, array: pa.Array) -> pa.Array:
    if at.is_null(array.type) or at.is_dictionary(array.type) or is_text(array.type):
        return minified(array)
    texts = nested_texts(array)
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, texts.type))


_READERS: dict[Kind, Callable[[ColumnType, pa.Array], pa.Array]] = {
    Kind.DOUBLE: _read_double,
    Kind.VARCHAR: _read_text,
    Kind.DATE: lambda _wanted, array: dates(array),
    Kind.TIMESTAMP: lambda _wanted, array: moments(array),
    Kind.JSON: _read_json,
}
_RULES = {
    Kind.VARCHAR: ("text_not_utf8", "it is not UTF-8"),
    Kind.JSON: ("json_invalid", "it is not JSON text"),
    Kind.DATE: ("value_invalid", "it is not a date of the years 1 to 9999"),
    Kind.TIMESTAMP: ("value_invalid", "it is not a time of the years 1 to 9999, ISO 8601 in text"),
}
