"""Which Arrow types stand for which column types, both ways.

    column type     accepted from a file
    BOOLEAN         bool
    INTEGER         int8 int16 int32 uint8 uint16
    BIGINT          every integer but uint64
    DOUBLE          float16 float32 float64, integers whose values a double keeps exactly
    DECIMAL(p,s)    decimals of no more whole digits and no larger scale, integers that always fit
    VARCHAR         string large_string string_view
    DATE            date32 date64
    TIMESTAMP       timestamp of any unit, with a zone or without (then it is UTC)
    JSON            struct, map, list; or a string that holds JSON text

A dictionary stands for the type of its values, and a column of type null for any.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as at

from offloader.catalog.types import MAX_DECIMAL_PRECISION, ColumnType, Kind

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())

_TARGETS = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: UTC_MICROSECONDS,
    Kind.JSON: pa.large_string(),
}
_INTEGER_DIGITS = {
    pa.int8(): 3,
    pa.uint8(): 3,
    pa.int16(): 5,
    pa.uint16(): 5,
    pa.int32(): 10,
    pa.uint32(): 10,
    pa.int64(): 19,
    pa.uint64(): 20,
}
_SMALL_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16())
_DIRECT = {
    pa.bool_(): Kind.BOOLEAN,
    pa.date32(): Kind.DATE,
    pa.date64(): Kind.DATE,
    pa.string(): Kind.VARCHAR,
    pa.large_string(): Kind.VARCHAR,
    pa.string_view(): Kind.VARCHAR,
}


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Return the Arrow type that a column is delivered in.

    A VARCHAR may also arrive as large_string or as dictionary<int32, string>.
    """
    if kind.kind is Kind.DECIMAL:
        return pa.decimal128(kind.precision, kind.scale)
    return _TARGETS[kind.kind]


def stored_type(found: pa.DataType) -> pa.DataType:
    """Return what is stored below a dictionary and below the JSON extension type."""
    if at.is_dictionary(found):
        return stored_type(found.value_type)
    if isinstance(found, pa.BaseExtensionType) and found.extension_name == "arrow.json":
        return stored_type(found.storage_type)
    return found


def accepts(wanted: ColumnType, found: pa.DataType) -> bool:
    """Tell whether a file's column of Arrow type `found` can be read as `wanted` without loss."""
    found = stored_type(found)
    if at.is_null(found):
        return True
    if wanted.kind in (Kind.INTEGER, Kind.BIGINT):
        is_small = found in _SMALL_INTEGERS
        return is_small or (wanted.kind is Kind.BIGINT and found in (pa.int64(), pa.uint32()))
    if wanted.kind is Kind.DOUBLE:
        return bool(at.is_floating(found) or at.is_integer(found))
    if wanted.kind is Kind.DECIMAL:
        return _fits_decimal(wanted, found)
    if wanted.kind is Kind.TIMESTAMP:
        return bool(at.is_timestamp(found))
    if wanted.kind is Kind.JSON:
        return is_text(found) or bool(at.is_nested(found) and is_json_shaped(found))
    return _DIRECT.get(found) is wanted.kind


def contract_type(found: pa.DataType) -> ColumnType | None:
    """Return the narrowest column type that takes `found`, None when no type does."""
    found = stored_type(found)
    if found in _DIRECT:
        return ColumnType(_DIRECT[found])
    if at.is_decimal(found) and 0 <= found.scale <= found.precision <= MAX_DECIMAL_PRECISION:
        return ColumnType(Kind.DECIMAL, found.precision, found.scale)
    if found == pa.uint64():
        return ColumnType(Kind.DECIMAL, _INTEGER_DIGITS[found], 0)
    kinds = (Kind.INTEGER, Kind.BIGINT, Kind.DOUBLE, Kind.TIMESTAMP, Kind.JSON)
    fitting = (ColumnType(kind) for kind in kinds if not at.is_null(found))
    return next((kind for kind in fitting if accepts(kind, found)), None)


def is_text(found: pa.DataType) -> bool:
    """Tell whether a type is one of Arrow's string types."""
    return _DIRECT.get(found) is Kind.VARCHAR


def is_json_shaped(found: pa.DataType) -> bool:
    """Tell whether a nested type has a JSON text: no binary, no time of day, no odd keys."""
    found = stored_type(found)
    if at.is_struct(found):
        names = [field.name for field in found]
        return len(set(names)) == len(names) and all(is_json_shaped(f.type) for f in found)
    if at.is_map(found):
        key = stored_type(found.key_type)
        return not at.is_nested(key) and is_json_shaped(key) and is_json_shaped(found.item_type)
    if at.is_list(found) or at.is_large_list(found) or at.is_fixed_size_list(found):
        return is_json_shaped(found.value_type)
    is_kind = (at.is_integer, at.is_floating, at.is_decimal, at.is_timestamp, at.is_null)
    return found in _DIRECT or any(is_one(found) for is_one in is_kind)


def _fits_decimal(wanted: ColumnType, found: pa.DataType) -> bool:
    whole_digits = wanted.precision - wanted.scale
    if at.is_decimal(found):
        digits = found.precision - found.scale
        return bool(0 <= found.scale <= wanted.scale and digits <= whole_digits)
    return _INTEGER_DIGITS.get(found, whole_digits + 1) <= whole_digits
