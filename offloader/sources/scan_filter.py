"""What a scan asks of rows, and the same as an Arrow expression over a file's own types.

A condition is in the contract's physical values: integers (days, microseconds, unscaled decimals,
0 and 1) or texts. An expression is made where it says exactly the same of the values in the file
as the condition says of them once they are read; else there is none, and rows are left in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from offloader.catalog.model import Column
from offloader.catalog.types import Kind
from offloader.sources.arrow_types import is_text

Physical = int | str
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_MICROSECOND_NS = 1_000
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Between:
    """Not null, from `low` on and below `end`; None is no bound."""

    column: Column
    low: Physical | None = None
    end: Physical | None = None


@dataclass(frozen=True, slots=True)
class Among:
    """Not null, and one of `values`: at least one, all integers or all texts."""

    column: Column
    values: tuple[Physical, ...]


Condition = Between | Among


def expression_of(condition: Condition, found: pa.DataType) -> pc.Expression | None:
    """Return a condition on a column that has the type `found`, None when there is no exact one."""
    field = pc.field(condition.column.name)
    if condition.column.type.kind is Kind.VARCHAR:
        found = found.value_type if at.is_dictionary(found) else found
        return _of_texts(field, condition, found) if is_text(found) else None
    steps = _steps_of(condition.column, found)
    return None if steps is None else _of_numbers(field, condition, found, *steps)


def can_match(condition: Condition, least: str, greatest: str) -> bool:
    """Tell whether a text from `least` to `greatest`, both inclusive, can meet a condition."""
    if isinstance(condition, Among):
        return any(least <= str(value) <= greatest for value in condition.values)
    low, end = condition.low, condition.end
    return (low is None or str(low) <= greatest) and (end is None or least < str(end))


def all_of(expressions: Iterable[pc.Expression]) -> pc.Expression | None:
    """Return what is true where all expressions are; None for none."""
    found = list(expressions)
    return reduce(lambda a, b: a & b, found) if found else None


def _of_texts(field: pc.Expression, condition: Condition, found: pa.DataType) -> pc.Expression:
    if isinstance(condition, Among):
        return field.isin(pa.array(condition.values, found))
    bounds = []
    if condition.low is not None:
        bounds.append(field >= pa.scalar(condition.low, found))
    if condition.end is not None:
        bounds.append(field < pa.scalar(condition.end, found))
    return all_of(bounds) if bounds else field.is_valid()


def _of_numbers(
    field: pc.Expression, condition: Condition, found: pa.DataType, times: int, per: int
) -> pc.Expression:
    """Return the expression; a value x of the file is x * `times` // `per` once it is read."""
    if isinstance(condition, Between):
        low, end = _placed(condition.low, times, per), _placed(condition.end, times, per)
        return _between(field, low, end, found)
    values = [int(value) for value in condition.values]
    if per == 1:
        exact = [value // times for value in values if value % times == 0]
        inside = [value for value in exact if _least(found) <= value <= _greatest(found)]
        if not inside:
            return pc.scalar(False)
        return field.isin(pa.array([_plain(value, found) for value in inside], found))
    found_in = [_between(field, value * per, (value + 1) * per, found) for value in values]
    return reduce(lambda a, b: a | b, found_in)


def _placed(bound: Physical | None, times: int, per: int) -> int | None:
    """Return the least value of the file that is read as `bound` or more."""
    return None if bound is None else -(-int(bound) * per // times)


def _between(
    field: pc.Expression, low: int | None, end: int | None, found: pa.DataType
) -> pc.Expression:
    least, greatest = _least(found), _greatest(found)
    if (low is not None and low > greatest) or (end is not None and end <= least):
        return pc.scalar(False)
    bounds = []
    if low is not None and low > least:
        bounds.append(field >= _scalar(low, found))
    if end is not None and end <= greatest:
        bounds.append(field < _scalar(end, found))
    return all_of(bounds) if bounds else field.is_valid()


def _steps_of(column: Column, found: pa.DataType) -> tuple[int, int] | None:
    """Return how values of the type `found` become the column's: times the first, by the second."""
    kind, scale = column.type.kind, column.type.scale
    if kind in (Kind.INTEGER, Kind.BIGINT) and at.is_integer(found):
        return 1, 1
    if kind is Kind.DECIMAL and at.is_integer(found):
        return 10**scale, 1
    if kind is Kind.DECIMAL and at.is_decimal128(found):
        return 10 ** (scale - found.scale), 1
    if kind is Kind.DATE and at.is_date32(found):
        return 1, 1
    if kind is Kind.TIMESTAMP and at.is_timestamp(found):
        return (1, _MICROSECOND_NS) if found.unit == "ns" else (_UNITS[found.unit], 1)
    return (1, 1) if kind is Kind.BOOLEAN and at.is_boolean(found) else None


def _scalar(value: int, found: pa.DataType) -> pa.Scalar:
    return pa.scalar(_plain(value, found), found)


def _plain(value: int, found: pa.DataType) -> int | bool | Decimal:
    if at.is_decimal128(found):
        return Decimal(value).scaleb(-found.scale, _EXACT)
    return bool(value) if at.is_boolean(found) else value


def _least(found: pa.DataType) -> int:
    if at.is_boolean(found) or at.is_unsigned_integer(found):
        return 0
    return -_greatest(found) - (0 if at.is_decimal128(found) else 1)


def _greatest(found: pa.DataType) -> int:
    if at.is_boolean(found):
        return 1
    if at.is_decimal128(found):
        return int(10**found.precision) - 1
    return int(2 ** (found.bit_width - (0 if at.is_unsigned_integer(found) else 1))) - 1
