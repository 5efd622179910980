"""Values of parameters: text from a caller (or a project) into the typed ParamValue.

    type        accepted text                                 value
    string      any text without NUL, at most max_length      str
    enum        one of the param's enum                       str
    integer     -?digits, signed 64 bit                       int
    number      a JSON number, finite                         float
    boolean     true, false                                   bool
    date        YYYY-MM-DD                                    int, days since 1970-01-01
    timestamp   YYYY-MM-DDTHH:MM[:SS[.ffffff]] and Z or       int, microseconds since
                +HH:MM (a zone is required)                   1970-01-01T00:00:00Z

Messages are for API callers: they state the rule and never repeat what was sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone

from offloader.catalog.model import Param, ParamType, ParamValue

MAX_LIST_VALUES = 100
MAX_LITERAL_LENGTH = 64
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def parse_value(param: Param, text: str) -> ParamValue:
    """Parse one value sent for `param`: aliases, type, enum, min and max, max_length in turn.

    Raises ValueError whose message may be shown to the caller.
    """
    text = param.aliases.get(text, text)
    value = parse_literal(param.type, text)
    if param.enum and value not in param.enum:
        raise ValueError(_enum_message(param.enum))
    check_bounds(param, value)
    if param.type == "string" and len(text) > param.max_length:
        raise ValueError(f"must be at most {param.max_length} characters")
    return value


def parse_list(param: Param, text: str) -> tuple[ParamValue, ...]:
    """Parse a comma-separated list of 1 to 100 values, in the order sent, repeats dropped.

    A value of a list cannot hold a comma. Raises ValueError as `parse_value` does.
    """
    items = text.split(",", MAX_LIST_VALUES)
    if len(items) > MAX_LIST_VALUES:
        raise ValueError(f"must be a list of at most {MAX_LIST_VALUES} values")
    if "" in items:
        raise ValueError("must be a comma-separated list without empty values")
    return tuple(dict.fromkeys(parse_value(param, item) for item in items))


def parse_literal(kind: ParamType, text: str) -> ParamValue:
    """Parse `text` by type alone; raise ValueError with a message that states the rule."""
    return _PARSERS[kind](text)


def check_bounds(param: Param, value: ParamValue) -> None:
    """Raise ValueError when `value` is below the param's `min` or above its `max`."""
    if param.min is not None and value < param.min:  # type: ignore[operator]
        raise ValueError(f"must be at least {format_value(param.type, param.min)}")
    if param.max is not None and value > param.max:  # type: ignore[operator]
        raise ValueError(f"must be at most {format_value(param.type, param.max)}")


def format_value(kind: ParamType, value: ParamValue) -> str:
    """Return a value as a caller would send it: the inverse of `parse_literal`."""
    if kind == "date":
        return date.fromordinal(int(value) + _EPOCH_DAY).isoformat()
    if kind == "timestamp":
        moment = _EPOCH + int(value) * _MICROSECOND
        return moment.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def parse_date(text: str) -> int:
    """Parse `YYYY-MM-DD` into days since 1970-01-01."""
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError("must be a date such as 2026-06-01")
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError("must be a date of the calendar, such as 2026-06-01") from None
    return day.toordinal() - _EPOCH_DAY


def parse_timestamp(text: str) -> int:
    """Parse ISO 8601 with a zone into microseconds since 1970-01-01T00:00:00Z."""
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise ValueError("must be a timestamp with a zone, such as 2026-06-01T00:00:00Z")
    try:
        moment = _moment(match)
    except ValueError:
        raise ValueError("must be a time of the calendar, as 2026-06-01T00:00:00Z") from None
    return (moment - _EPOCH) // _MICROSECOND


def is_text(text: str) -> bool:
    """Tell whether `text` has no NUL and no lone surrogate, so that it can be stored as UTF-8."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _moment(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    second, fraction = int(match[6] or 0), int((match[7] or "").ljust(6, "0"))
    zone = UTC
    if match[8]:
        if int(match[10]) > 59:
            raise ValueError("offset minutes")
        offset = timedelta(hours=int(match[9]), minutes=int(match[10]))
        zone = timezone(offset if match[8] == "+" else -offset)
    moment = datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone)
    if not _FIRST <= moment <= _LAST:
        raise ValueError("outside years 1 to 9999")
    return moment


def _parse_text(text: str) -> str:
    if not is_text(text):
        raise ValueError("must be text without NUL characters")
    return text


def _parse_integer(text: str) -> int:
    if len(text) > MAX_LITERAL_LENGTH or not _INTEGER.fullmatch(text):
        raise ValueError("must be an integer")
    value = int(text)
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError("must be an integer of at most 64 bits")
    return value


def _parse_number(text: str) -> float:
    if len(text) > MAX_LITERAL_LENGTH or not _NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("must be a number in the range of a double")
    return value + 0.0  # -0.0 becomes 0.0: equal values must make equal ETags


def _parse_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _enum_message(allowed: tuple[str, ...]) -> str:
    shown = ", ".join(allowed[:10])
    return f"must be one of {shown}" + (", …" if len(allowed) > 10 else "")


_PARSERS: Mapping[ParamType, Callable[[str], ParamValue]] = {
    "string": _parse_text,
    "enum": _parse_text,
    "integer": _parse_integer,
    "number": _parse_number,
    "boolean": _parse_boolean,
    "date": parse_date,
    "timestamp": parse_timestamp,
}
