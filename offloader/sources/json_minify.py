"""JSON text as producers store it in string columns: checked and minified, never re-written.

Numbers, escapes and key order stay as they are; only spaces between tokens go. So no digit of a
number is lost, whatever its size.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

import pyarrow as pa
import pyarrow.types as at

_TEXT = pa.large_string()
_SPACE = re.compile(r"[ \t\n\r]")
_TOKENS = re.compile(r'[^" \t\n\r]+|"[^"\\]*(?:\\.[^"\\]*)*"')


def minified(array: pa.Array) -> pa.Array:
    """Return large_string JSON texts without spaces between tokens; equal texts are read once.

    `array` is of strings, coded or not, or of type null. Raises ArrowInvalid, without the value,
    when one is not JSON (RFC 8259: no NaN, no trailing comma).
    """
    if at.is_null(array.type):
        return array.cast(_TEXT)
    coded = array if at.is_dictionary(array.type) else array.cast(_TEXT).dictionary_encode()
    texts = pa.array([minify(text) for text in coded.dictionary.to_pylist()], _TEXT)
    found = texts.take(coded.indices)
    if found.null_count > array.null_count:
        raise pa.ArrowInvalid("not JSON text")
    return found


def minify(text: str) -> str | None:
    """Return one JSON text without spaces between tokens, None if it is not JSON."""
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    if not _SPACE.search(text):
        return text
    return "".join(_TOKENS.findall(text))


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse_constant)
