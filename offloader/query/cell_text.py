"""Cells as JSON text: exact numbers, ISO 8601 dates and times, raw UTF-8 strings.

    BOOLEAN           true, false
    INTEGER, BIGINT   digits
    DOUBLE            the shortest decimal that reads back as the same double
    DECIMAL           digits with exactly the scale's number behind the point
    VARCHAR           a JSON string; only quotes, backslashes and controls are escaped
    DATE              "YYYY-MM-DD"; years outside 0 to 9999 as sign and at least six digits
    TIMESTAMP         "YYYY-MM-DDTHH:MM:SSZ", with six digits of a second unless they are zero
    JSON              the nested text itself

A double that is no number (NaN, an infinity) is `null`, as every null is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.types import Kind
from offloader.query.cells import Cells
from offloader.segment.dictionary import DecimalDictionary, Texts

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_DAY_MICROSECONDS = 86_400_000_000
_quoted = encode_basestring


def cell_texts(cells: Cells) -> list[str]:
    """Return each cell as JSON text, `null` where it is null."""
    if cells.valid is None or cells.valid.all():
        return _texts(cells, cells.values)
    texts = ["null"] * len(cells)
    places = np.flatnonzero(cells.valid)
    for place, text in zip(places.tolist(), _texts(cells, cells.values[places]), strict=True):
        texts[place] = text
    return texts


def date_text(day: int) -> str:
    """Return days since 1970-01-01 as an ISO 8601 date, expanded beyond years 0 to 9999."""
    if 0 < day + _EPOCH_DAY <= _LAST_DAY:
        return date.fromordinal(day + _EPOCH_DAY).isoformat()
    text = str(np.datetime64(day, "D"))
    year, rest = int(text[:-6]), text[-6:]
    return f"{year:04d}{rest}" if 0 <= year <= 9999 else f"{year:+07d}{rest}"


def timestamp_text(moment: int) -> str:
    """Return microseconds since 1970-01-01T00:00:00Z as ISO 8601 with `Z`."""
    day, inside = divmod(moment, _DAY_MICROSECONDS)
    seconds, fraction = divmod(inside, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    behind = f".{fraction:06d}" if fraction else ""
    return f"{date_text(day)}T{hour:02d}:{minute:02d}:{second:02d}{behind}Z"


def decimal_text(unscaled: int, scale: int) -> str:
    """Return an unscaled decimal in plain notation with `scale` digits behind the point."""
    if not scale:
        return str(unscaled)
    digits = str(abs(unscaled)).zfill(scale + 1)
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def _texts(cells: Cells, values: npt.NDArray[Any]) -> list[str]:
    kind, dictionary = cells.type.kind, cells.dictionary
    if isinstance(dictionary, Texts):
        if kind is Kind.JSON:
            return dictionary.texts(values)
        return _quoted_texts(dictionary, values)
    if kind is Kind.DECIMAL:
        numbers = values.tolist()
        if isinstance(dictionary, DecimalDictionary):
            numbers = dictionary.unscaled_all(values)
        return [decimal_text(number, cells.type.scale) for number in numbers]
    return _WRITERS[kind](values.tolist())


def _quoted_texts(dictionary: Texts, codes: npt.NDArray[Any]) -> list[str]:
    """Read and quote each distinct text once."""
    listed = codes.tolist()
    distinct = list(dict.fromkeys(listed))
    texts = map(_quoted, dictionary.texts(np.array(distinct, np.int64)))
    by_code = dict(zip(distinct, texts, strict=True))
    return [by_code[code] for code in listed]


def _doubles(numbers: list[float]) -> list[str]:
    return [repr(number) if isfinite(number) else "null" for number in numbers]


_WRITERS: Mapping[Kind, Callable[[list[Any]], list[str]]] = {
    Kind.BOOLEAN: lambda cells: ["true" if cell else "false" for cell in cells],
    Kind.INTEGER: lambda cells: list(map(repr, cells)),
    Kind.BIGINT: lambda cells: list(map(repr, cells)),
    Kind.DOUBLE: _doubles,
    Kind.DATE: lambda cells: [f'"{date_text(cell)}"' for cell in cells],
    Kind.TIMESTAMP: lambda cells: [f'"{timestamp_text(cell)}"' for cell in cells],
}
