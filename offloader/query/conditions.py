"""Conditions on physical values: what a filter asks of one column, decided once per request.

Every filter is reduced to a place in its column's order. `Snap` finds it: the greatest stored
value not above the param's, and the least not below. They are equal when the value can be stored.
Numbers are compared exactly: a `number` param is the shortest decimal that names its double, so
10.1 equals a DECIMAL 10.10, and nothing between 10 and 11 equals a BIGINT.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from offloader.catalog.column_check import PARAM_TYPES_OF
from offloader.catalog.model import FilterOp, ParamType, ParamValue
from offloader.catalog.types import Kind
from offloader.query.params import BoundValue
from offloader.segment.dictionary import DecimalDictionary, Dictionary
from offloader.segment.read import ColumnView

Physical = int | float
Snap = Callable[[ParamValue], tuple[Physical, Physical]]
_DAY_MICROSECONDS = 86_400_000_000
_INTEGERS = (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class Interval:
    """Not null, and from `low` to `high`, both inclusive; None is no bound."""

    low: Physical | None = None
    high: Physical | None = None

    @property
    def is_point(self) -> bool:
        """Whether only one value can match."""
        return self.low is not None and self.low == self.high

    @property
    def is_empty(self) -> bool:
        """Whether no value can match."""
        return self.low is not None and self.high is not None and self.low > self.high

    def __and__(self, other: Interval) -> Interval:
        lows = [b for b in (self.low, other.low) if b is not None]
        highs = [b for b in (self.high, other.high) if b is not None]
        return Interval(max(lows, default=None), min(highs, default=None))


@dataclass(frozen=True, slots=True)
class OneOf:
    """Not null, and one of `values` (ascending, distinct, maybe none)."""

    values: tuple[Physical, ...]


@dataclass(frozen=True, slots=True)
class Except:
    """Not null, and not `value`."""

    value: Physical


Condition = Interval | OneOf | Except
NEVER = Interval(1, 0)
NOT_NULL = Interval()


def make_snap(view: ColumnView, param_type: ParamType) -> Snap:
    """Return how a param of this type is placed among the column's physical values.

    Raises ValueError when the two cannot be compared, which the catalog's checks rule out.
    """
    kind, dictionary = view.type.kind, view.dictionary
    if param_type not in PARAM_TYPES_OF[kind]:
        raise ValueError(f"a {param_type} param cannot filter {view.name}, a {view.type}")
    if isinstance(dictionary, Dictionary):
        return lambda value: _snap_text(dictionary, str(value))
    if isinstance(dictionary, DecimalDictionary):
        scale = _power_of_ten(view.type.scale)
        return lambda value: _snap_decimal(dictionary, _exact(value) * scale)
    if kind is Kind.DOUBLE:
        return _snap_double
    if kind is Kind.BOOLEAN:
        return lambda value: (int(value), int(value))
    factor = _factor(view, param_type)
    return lambda value: _snap_integer(value, factor)


def condition(view: ColumnView, op: FilterOp, snap: Snap, value: BoundValue) -> Condition:
    """Return what `column op value` asks; a tuple holds the values of an `in` list."""
    if isinstance(value, tuple):
        points = _points(view, snap, value)
        return Interval(points[0], points[0]) if len(points) == 1 else OneOf(points)
    if op == "prefix":
        assert isinstance(view.dictionary, Dictionary)
        first, end = view.dictionary.prefix_range(str(value).encode())
        return Interval(first, end - 1)
    below, above = snap(value)
    if op == "eq":
        return Interval(below, above) if below == above else NEVER
    if op == "ne":
        return Except(below) if below == above else NOT_NULL
    if op == "gt":
        return Interval(_next(below), None)
    if op == "gte":
        return Interval(above, None)
    return Interval(None, _previous(above) if op == "lt" else below)


def tenant_condition(view: ColumnView, tenant: str | None) -> Interval:
    """Return the tenant's own rows; none for no tenant, or one the column cannot hold."""
    if tenant is None:
        return NEVER
    if isinstance(view.dictionary, Dictionary):
        code = view.dictionary.find(tenant.encode())
        return Interval(code, code) if code >= 0 else NEVER
    try:
        number = int(tenant)
    except ValueError:
        return NEVER
    if view.type.kind not in (Kind.INTEGER, Kind.BIGINT) or str(number) != tenant:
        return NEVER
    return Interval(number, number)


def _points(view: ColumnView, snap: Snap, values: tuple[ParamValue, ...]) -> tuple[Physical, ...]:
    places = (snap(value) for value in values)
    found = sorted({below for below, above in places if below == above})
    if view.type.kind in _INTEGERS:
        return tuple(p for p in found if -(2**63) <= p < 2**63)
    return tuple(found)


def _factor(view: ColumnView, param_type: ParamType) -> Fraction | int:
    """Return how many physical units one unit of the param is."""
    kind = view.type.kind
    if kind is Kind.TIMESTAMP and param_type == "date":
        return _DAY_MICROSECONDS
    if kind is Kind.DATE and param_type == "timestamp":
        return Fraction(1, _DAY_MICROSECONDS)
    return _power_of_ten(view.type.scale)


def _power_of_ten(scale: int) -> int:
    return int(10**scale)


def _exact(value: ParamValue) -> Fraction | int:
    return Fraction(repr(value)) if isinstance(value, float) else int(value)


def _snap_integer(value: ParamValue, factor: Fraction | int) -> tuple[int, int]:
    place = _exact(value) * factor
    return math.floor(place), math.ceil(place)


def _snap_decimal(dictionary: DecimalDictionary, place: Fraction | int) -> tuple[int, int]:
    below = dictionary.upper_bound(math.floor(place)) - 1
    return below, dictionary.lower_bound(math.ceil(place))


def _snap_text(dictionary: Dictionary, text: str) -> tuple[int, int]:
    """A code is a rank: a text that is absent lies between two codes."""
    raw = text.encode()
    above = dictionary.lower_bound(raw)
    found = above < len(dictionary) and dictionary[above] == raw
    return (above if found else above - 1), above


def _snap_double(value: ParamValue) -> tuple[float, float]:
    assert isinstance(value, int | float)
    near = float(value)
    if near == value:
        return near, near
    if near > value:
        return math.nextafter(near, -math.inf), near
    return near, math.nextafter(near, math.inf)


def _next(value: Physical) -> Physical:
    return math.nextafter(value, math.inf) if isinstance(value, float) else value + 1


def _previous(value: Physical) -> Physical:
    return math.nextafter(value, -math.inf) if isinstance(value, float) else value - 1
