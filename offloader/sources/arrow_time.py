"""Dates and times: any Arrow representation into days and UTC microseconds, and into text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from offloader.sources.arrow_types import UTC_MICROSECONDS, is_text

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_DAY = 86_400_000_000
_HAS_ZONE = r":[0-9.]+(?:[Zz]|[+-][0-9:]+)$"
_TEXT = pa.large_string()


def dates(array: pa.Array) -> pa.Array:
    """Return date32; raise ArrowInvalid for a day outside the years 1 to 9999."""
    days = array.cast(pa.date32())
    _check_range(days.view(pa.int32()), _FIRST_DAY, _LAST_DAY)
    return days


def moments(array: pa.Array) -> pa.Array:
    """Return timestamp[us, UTC] of timestamps or of ISO 8601 texts; no zone means UTC.

    Raises ArrowInvalid for a text that is no time and outside the years 1 to 9999.
    """
    if is_text(array.type):
        found = _parse(array)
    elif at.is_null(array.type):
        found = array.cast(UTC_MICROSECONDS)
    else:
        found = _to_microseconds(array)
    _check_range(found.view(pa.int64()), _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY - 1)
    return found


def date_texts(array: pa.Array) -> pa.Array:
    """Return `YYYY-MM-DD` as large_string."""
    return dates(array).cast(_TEXT)


def moment_texts(array: pa.Array) -> pa.Array:
    """Return `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` as large_string; no fraction when it is zero."""
    texts = moments(array).view(pa.timestamp("us")).cast(_TEXT)
    texts = pc.replace_substring(texts, " ", "T")
    texts = pc.replace_substring_regex(texts, r"\.000000$", "")
    return pc.binary_join_element_wise(texts, pa.scalar("Z", _TEXT), pa.scalar("", _TEXT))


def _to_microseconds(array: pa.Array) -> pa.Array:
    naive = array.view(pa.timestamp(array.type.unit))
    if array.type.unit == "ns":
        naive = pc.floor_temporal(naive, unit="microsecond")
    return naive.cast(pa.timestamp("us")).view(UTC_MICROSECONDS)


def _parse(texts: pa.Array) -> pa.Array:
    try:
        return texts.cast(UTC_MICROSECONDS)
    except pa.ArrowInvalid:
        texts = texts.cast(_TEXT)
        zoned = pc.match_substring_regex(texts, _HAS_ZONE)
        as_utc = pc.binary_join_element_wise(texts, pa.scalar("Z", _TEXT), pa.scalar("", _TEXT))
        return pc.if_else(zoned, texts, as_utc).cast(UTC_MICROSECONDS)


def _check_range(numbers: pa.Array, lowest: int, highest: int) -> None:
    found = pc.min_max(numbers).as_py()
    if found["min"] is not None and not lowest <= found["min"] <= found["max"] <= highest:
        raise pa.ArrowInvalid("outside the years 1 to 9999")
