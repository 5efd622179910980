"""Column types of the contract, and which type may stand for which.

INTEGER is 32 bits, BIGINT 64, DOUBLE IEEE 754 binary64, DATE days since 1970-01-01, TIMESTAMP
microseconds since 1970-01-01T00:00:00Z, DECIMAL(p,s) exact with 1 <= p <= 38 and 0 <= s <= p.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_DECIMAL_PRECISION = 38
_DECIMAL = re.compile(r"DECIMAL\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_NUMBER_RANK = {"INTEGER": 0, "BIGINT": 1, "DOUBLE": 2}


class Kind(StrEnum):
    """The type families of a column."""

    BOOLEAN = "BOOLEAN"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type; `precision` and `scale` are 0 unless the kind is DECIMAL."""

    kind: Kind
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        return self.kind.value

    @property
    def is_number(self) -> bool:
        """Whether sum and avg are defined on it."""
        return self.kind in (Kind.INTEGER, Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL)


def parse_type(text: str) -> ColumnType:
    """Parse a contract type such as `BIGINT` or `DECIMAL(18,2)`; raise ValueError otherwise."""
    match = _DECIMAL.fullmatch(text)
    if match:
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= MAX_DECIMAL_PRECISION or scale > precision:
            raise ValueError(f"DECIMAL precision is 1 to {MAX_DECIMAL_PRECISION}, scale 0 to p")
        return ColumnType(Kind.DECIMAL, precision, scale)
    if text == "DECIMAL" or text not in Kind.__members__:
        raise ValueError("not a column type")
    return ColumnType(Kind(text))


def is_same_or_wider(offered: ColumnType, wanted: ColumnType) -> bool:
    """Tell whether a snapshot column of type `offered` satisfies a contract's `wanted`.

    INTEGER < BIGINT < DOUBLE: a wider offer is fine, a narrower one is not. A DECIMAL is wider
    when neither its integer digits nor its scale shrink.
    """
    if offered == wanted:
        return True
    if offered.kind in _NUMBER_RANK and wanted.kind in _NUMBER_RANK:
        return _NUMBER_RANK[offered.kind] >= _NUMBER_RANK[wanted.kind]
    if offered.kind is wanted.kind is Kind.DECIMAL:
        whole_digits = offered.precision - offered.scale >= wanted.precision - wanted.scale
        return whole_digits and offered.scale >= wanted.scale
    return False
