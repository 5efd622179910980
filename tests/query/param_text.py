"""Values of generated params: as a caller sends them, and as a literal of the oracle's SQL."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from offloader.catalog.model import ParamType
from offloader.catalog.types import ColumnType, Kind

_DAY_MICROSECONDS = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMMON_DIGITS = 38


def fits(column_type: ColumnType, param_type: ParamType, value: Any) -> bool:
    """Tell whether a stored value can be sent as this type and compared exactly by the oracle.

    DuckDB compares decimals of at most 38 digits, and an integer to a double as a double.
    """
    kind = column_type.kind
    if kind is Kind.DOUBLE:
        return math.isfinite(value) and (param_type == "number" or abs(value) < 2**53)
    if kind in (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL):
        text = sent_text(column_type, param_type, value)
        scale = common_scale(column_type, text)
        whole = len(str(abs(int(Decimal(text)))))
        column_whole = 19 if kind is not Kind.DECIMAL else column_type.precision - column_type.scale
        return (
            max(whole, column_whole) + scale <= _COMMON_DIGITS and abs(int(Decimal(text))) < 2**63
        )
    return True


def sent_text(column_type: ColumnType, param_type: ParamType, value: Any) -> str:
    """Return a stored value as the text of a param of this type, which may round it."""
    kind = column_type.kind
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    if kind is Kind.DECIMAL:
        value = Decimal(value).scaleb(-column_type.scale)
    if param_type == "integer":
        return str(int(value))
    if param_type == "number":
        return repr(float(value))
    if kind is Kind.VARCHAR:
        return str(value)
    microseconds = value * _DAY_MICROSECONDS if kind is Kind.DATE else value
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.date().isoformat() if param_type == "date" else _zoned(moment)


def literal(column_type: ColumnType, param_type: ParamType, text: str) -> str:
    """Return the SQL literal that a column (cast by `comparable`) is compared to."""
    kind = column_type.kind
    if kind is Kind.BOOLEAN:
        return text
    if kind is Kind.VARCHAR:
        return "'" + text.replace("'", "''") + "'"
    if kind is Kind.DOUBLE:
        return f"CAST('{text}' AS DOUBLE)"
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        plain = text.removesuffix("Z").replace("T", " ")
        return f"CAST('{plain}' AS TIMESTAMP)"
    return f"CAST('{Decimal(text):f}' AS DECIMAL(38,{common_scale(column_type, text)}))"


def comparable(column_type: ColumnType, name: str, text: str) -> str:
    """Return the SQL of a column in a type that holds both it and the literal exactly."""
    kind = column_type.kind
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        return f"CAST({name} AS TIMESTAMP)"
    if kind in (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL):
        return f"CAST({name} AS DECIMAL(38,{common_scale(column_type, text)}))"
    return name


def common_scale(column_type: ColumnType, text: str) -> int:
    """Return how many digits behind the point both the column and the number need."""
    exponent = Decimal(text).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(column_type.scale, -exponent, 0)


def days_text(day: int) -> str:
    """Return days since 1970-01-01 as a date of years 1 to 9999."""
    return date.fromordinal(day + date(1970, 1, 1).toordinal()).isoformat()


def _zoned(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z"
