"""Write dates and times as ISO 8601 text, many at once. Numpy and Arrow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from offloader.segment.build_sort import Bools

Integers = npt.NDArray[np.int64]
Letters = npt.NDArray[np.uint8]
_DAY_MICROSECONDS = 86_400_000_000
_SECOND_MICROSECONDS = 1_000_000
_FIRST_DAY = int(np.datetime64("0000-01-01", "D").astype(np.int64))
_LAST_DAY = int(np.datetime64("9999-12-31", "D").astype(np.int64))
_ZERO = ord("0")


def date_texts(days: Integers) -> pa.StringArray:
    """Write days since 1970-01-01 as dates; years outside 0 to 9999 as sign and six digits."""
    plain = fixed_width(_of_span(np.clip(days, _FIRST_DAY, _LAST_DAY), _date_letters))
    return _replaced(plain, days, _is_far(days), far_date_text)


def timestamp_texts(moments: Integers) -> pa.StringArray:
    """Write microseconds since 1970-01-01T00:00:00Z; six digits of a second unless all zero."""
    days, inside = np.divmod(moments, _DAY_MICROSECONDS)
    seconds, micros = np.divmod(inside, _SECOND_MICROSECONDS)
    near = _of_span(np.clip(days, _FIRST_DAY, _LAST_DAY), _date_letters)
    clock = _of_span(seconds, _clock_letters)
    texts = fixed_width(np.concatenate([near, clock], axis=1))
    texts = _replaced(texts, moments, _is_far(days), _far_second_text)
    has_micros = micros != 0
    behind: pa.StringArray | str = ""
    if has_micros.any():
        letters = np.concatenate([_letters(".", len(micros)), _digits(micros, 6)], axis=1)
        behind = pc.if_else(pa.array(has_micros), fixed_width(letters), "")
    return pc.binary_join_element_wise(texts, behind, "Z", "")


def far_date_text(day: int) -> str:
    """Write a date whose year has not four digits, or is negative."""
    text = str(np.datetime64(day, "D"))
    return f"{int(text[:-6]):+07d}{text[-6:]}"


def fixed_width(letters: Letters) -> pa.StringArray:
    """Return the rows of ASCII letters, shape (n, width), as n strings; nothing is copied."""
    count, width = letters.shape
    ends = np.arange(0, count * width + 1, width, dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(letters))]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def _is_far(days: Integers) -> Bools:
    return (days < _FIRST_DAY) | (days > _LAST_DAY)


def _replaced(
    texts: pa.StringArray, values: Integers, is_far: Bools, text: Callable[[int], str]
) -> pa.StringArray:
    if not is_far.any():
        return texts
    found = pa.array(list(map(text, values[is_far].tolist())), pa.string())
    return pc.replace_with_mask(texts, pa.array(is_far), found)


def _far_second_text(moment: int) -> str:
    day, inside = divmod(moment, _DAY_MICROSECONDS)
    clock = _clock_letters(np.array([inside // _SECOND_MICROSECONDS])).tobytes().decode()
    return far_date_text(day) + clock


def _of_span(values: Integers, letters: Callable[[Integers], Letters]) -> Letters:
    """Write each value of the span once where there are fewer of them than rows."""
    if len(values) == 0:
        return letters(values)
    least, greatest = int(values.min()), int(values.max())
    if greatest - least >= len(values):
        return letters(values)
    return letters(np.arange(least, greatest + 1)).take(values - least, axis=0)


def _date_letters(days: Integers) -> Letters:
    """Return `YYYY-MM-DD` of days in the years 0 to 9999, shape (n, 10)."""
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    year, month = np.divmod(months.astype(np.int64), 12)
    day = (dates - months.astype("M8[D]")).astype(np.int64)
    dash = _letters("-", len(days))
    parts = [_digits(year + 1970, 4), dash, _digits(month + 1, 2), dash, _digits(day + 1, 2)]
    return np.concatenate(parts, axis=1)


def _clock_letters(seconds: Integers) -> Letters:
    """Return `THH:MM:SS` of seconds since midnight, shape (n, 9)."""
    minutes, second = np.divmod(seconds, 60)
    hour, minute = np.divmod(minutes, 60)
    mark, colon = _letters("T", len(seconds)), _letters(":", len(seconds))
    parts = [mark, _digits(hour, 2), colon, _digits(minute, 2), colon, _digits(second, 2)]
    return np.concatenate(parts, axis=1)


def _letters(letter: str, count: int) -> Letters:
    return np.full((count, 1), ord(letter), np.uint8)


def _digits(values: Integers, width: int) -> Letters:
    """Return the last `width` decimal digits of each value, shape (n, width)."""
    found = np.empty((len(values), width), np.uint8)
    rest = values.astype(np.uint32)
    for place in reversed(range(width)):
        rest, digit = np.divmod(rest, np.uint32(10))
        found[:, place] = digit + _ZERO
    return found
