"""Nested Arrow columns as JSON text, column by column and not row by row.

Structs and maps become objects, lists arrays. Key order is kept, decimals are exact, NaN and
infinities are null, dates and times have their contract text, non-ASCII stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from offloader.sources.arrow_time import date_texts, moment_texts
from offloader.sources.arrow_types import is_text

_TEXT = pa.large_string()
_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'


def nested_texts(array: pa.Array) -> pa.Array:
    """Return the minified JSON text of every value as large_string; a null is the text `null`.

    `array` is of a type that `is_json_shaped` accepts. Raises ArrowInvalid for a date or time
    outside the years 1 to 9999.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if at.is_dictionary(array.type):
        array = array.dictionary_decode()
    if len(array) == 0:
        return pa.array([], _TEXT)
    return pc.fill_null(_writer(array.type)(array), pa.scalar("null", _TEXT))


def _writer(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    for is_kind, writer in _WRITERS:
        if is_kind(kind):
            return writer
    raise NotImplementedError(f"no JSON text for {kind}")


def _concat(*parts: pa.Array | str) -> pa.Array:
    texts = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", _TEXT))


def _struct(array: pa.StructArray) -> pa.Array:
    parts: list[pa.Array | str] = []
    for field, child in zip(array.type, array.flatten(), strict=True):
        comma = "," if parts else ""
        parts += [f"{comma}{json.dumps(field.name, ensure_ascii=False)}:", nested_texts(child)]
    if not parts:
        return _where_valid(array, pa.array(["{}"] * len(array), _TEXT))
    return _where_valid(array, _concat("{", *parts, "}"))


def _list(array: pa.Array) -> pa.Array:
    texts = nested_texts(array.flatten())
    return _where_valid(array, _concat("[", _join(array, texts), "]"))


def _map(array: pa.MapArray) -> pa.Array:
    entry = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    entries = array.cast(pa.list_(entry))
    keys, values = entries.flatten().flatten()
    keyed = _concat(_keys(keys), ":", nested_texts(values))
    return _where_valid(array, _concat("{", _join(entries, keyed), "}"))


def _join(lists: pa.Array, texts: pa.Array) -> pa.Array:
    """Join the texts of each list's values with commas; a null list joins to nothing."""
    lengths = pc.if_else(lists.is_valid(), pc.list_value_length(lists).cast(pa.int64()), 0)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, texts), pa.scalar(",", _TEXT))


def _keys(keys: pa.Array) -> pa.Array:
    texts = nested_texts(keys)
    quoted = pc.starts_with(texts, '"')
    return pc.if_else(quoted, texts, _concat('"', texts, '"'))


def _where_valid(array: pa.Array, texts: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, _TEXT))


def _quoted_text(array: pa.Array) -> pa.Array:
    texts = array.cast(_TEXT)
    quoted = _concat('"', texts, '"')
    odd = pc.fill_null(pc.match_substring_regex(texts, _NEEDS_ESCAPE), False)
    if not pc.any(odd).as_py():
        return quoted
    escaped = [json.dumps(text, ensure_ascii=False) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(quoted, odd, pa.array(escaped, _TEXT))


def _double(array: pa.Array) -> pa.Array:
    values = array.cast(pa.float64())
    return pc.if_else(pc.is_finite(values), values.cast(_TEXT), pa.scalar(None, _TEXT))


def _decimal(array: pa.Array) -> pa.Array:
    texts = array.cast(_TEXT)
    odd = pc.fill_null(pc.match_substring(texts, "E"), False)
    if not pc.any(odd).as_py():
        return texts
    plain = [format(Decimal(text), "f") for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(texts, odd, pa.array(plain, _TEXT))


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(_TEXT)


_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (is_text, _quoted_text),
    (at.is_struct, _struct),
    (at.is_map, _map),
    (at.is_list, _list),
    (at.is_large_list, _list),
    (at.is_fixed_size_list, _list),
    (at.is_floating, _double),
    (at.is_decimal, _decimal),
    (at.is_date, lambda array: _concat('"', date_texts(array), '"')),
    (at.is_timestamp, lambda array: _concat('"', moment_texts(array), '"')),
    (at.is_boolean, _plain),
    (at.is_integer, _plain),
    (at.is_null, _plain),
)
