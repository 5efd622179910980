"""Hypothesis strategies: columns as producers write them, with what must be read of them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st


@dataclass(frozen=True)
class Sample:
    """A column: contract type, the Arrow array a producer wrote, and what must be read."""

    kind: str
    array: pa.Array
    expected: list[Any]


def _nullable(values: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=rows, max_size=rows)


def _integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _decimals(scale: int) -> st.SearchStrategy[Decimal]:
    digits = st.integers(-(10**18) + 1, 10**18 - 1)
    return digits.map(lambda unscaled: Decimal(unscaled).scaleb(-scale))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}
ZONES = (None, "UTC", "Europe/Paris")
# Nanoseconds are refused in text; Arrow writes no string views, and local offsets by the minute.
NOT_IN_CSV = (
    pa.string_view(),
    *(pa.timestamp("ns", zone) for zone in ZONES),
    *(pa.timestamp(unit, "Europe/Paris") for unit in UNITS),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
ITEMS = st.fixed_dictionaries(
    {"name": st.none() | TEXT, "size": st.none() | _decimals(12), "day": st.none() | DAYS}
)
SWITCHES = st.none() | st.lists(st.none() | st.booleans(), max_size=3)
NESTED = st.fixed_dictionaries(
    {
        "items": st.none() | st.lists(st.none() | ITEMS, max_size=3),
        "pair": st.none() | st.lists(st.none() | st.floats(), min_size=2, max_size=2),
        "tags": st.none() | st.dictionaries(TEXT, st.none() | _integers(64), max_size=3),
        "by_id": st.none() | st.dictionaries(_integers(16), SWITCHES, max_size=2),
    }
)
INTEGERS = (
    ("INTEGER", pa.int8(), 8),
    ("INTEGER", pa.int32(), 32),
    ("BIGINT", pa.int32(), 32),
    ("BIGINT", pa.int64(), 64),
    ("DOUBLE", pa.int32(), 32),
    ("DECIMAL(22,2)", pa.int64(), 64),
)
PLAIN = (
    ("BOOLEAN", pa.bool_(), st.booleans()),
    ("DECIMAL(20,4)", pa.decimal128(18, 4), _decimals(4)),
    ("DECIMAL(38,6)", pa.decimal256(20, 4), _decimals(4)),
    ("VARCHAR", pa.string(), TEXT),
    ("VARCHAR", pa.large_string(), TEXT),
    ("VARCHAR", pa.string_view(), TEXT),
    ("DATE", pa.date32(), DAYS),
)


@st.composite
def numbers(draw: st.DrawFn, rows: int) -> Sample:
    """Draw integers of every width under every column type that takes them."""
    kind, stored, bits = draw(st.sampled_from(INTEGERS))
    values = draw(_nullable(_integers(bits), rows))
    return Sample(kind, pa.array(values, stored), values)


@st.composite
def doubles(draw: st.DrawFn, rows: int) -> Sample:
    """Draw doubles, whose NaN and infinities are null to the contract."""
    values = draw(_nullable(st.floats(), rows))
    expected = [v if v is not None and math.isfinite(v) else None for v in values]
    return Sample("DOUBLE", pa.array(values, pa.float64(), from_pandas=False), expected)


@st.composite
def plain(draw: st.DrawFn, rows: int) -> Sample:
    """Draw booleans, decimals, dates and text."""
    kind, stored, values = draw(st.sampled_from(PLAIN))
    found = draw(_nullable(values, rows))
    return Sample(kind, pa.array(found, stored), found)


@st.composite
def coded(draw: st.DrawFn, rows: int) -> Sample:
    """Draw dictionary-encoded text."""
    values = draw(_nullable(st.sampled_from(["", "a", "é", "long text"]), rows))
    return Sample("VARCHAR", pa.array(values, pa.string()).dictionary_encode(), values)


@st.composite
def moments(draw: st.DrawFn, rows: int) -> Sample:
    """Draw timestamps of every unit, with and without a zone; digits below µs are dropped."""
    unit = draw(st.sampled_from(list(UNITS)))
    factor, limit = (1000, 9 * 10**15) if unit == "ns" else (1, 6 * 10**16)
    ticks = draw(_nullable(st.integers(-limit // UNITS[unit], limit // UNITS[unit]), rows))
    below = draw(st.integers(0, factor - 1))
    stored = [None if tick is None else tick * factor + below for tick in ticks]
    step = timedelta(microseconds=UNITS[unit])
    expected = [None if tick is None else EPOCH + tick * step for tick in ticks]
    zone = draw(st.sampled_from(ZONES))
    return Sample("TIMESTAMP", pa.array(stored, pa.timestamp(unit, zone)), expected)


@st.composite
def texts_of_json(draw: st.DrawFn, rows: int) -> Sample:
    """Draw JSON text with spaces anywhere, which is minified and nothing else."""
    is_ascii = draw(st.booleans())

    def write(value: Any, **layout: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=is_ascii, **layout)

    values = draw(_nullable(DOCUMENTS, rows))
    spaced = [write(value, indent=1) for value in values]
    expected = [write(value, separators=(",", ":")) for value in values]
    return Sample("JSON", pa.array(spaced, pa.string()), expected)


@st.composite
def nested(draw: st.DrawFn, rows: int) -> Sample:
    """Draw structs, lists and maps inside each other; expected are Python values."""
    item = pa.struct([("name", pa.string()), ("size", pa.decimal128(20, 12)), ("day", pa.date32())])
    row = pa.struct(
        [
            ("items", draw(st.sampled_from([pa.list_(item), pa.large_list(item)]))),
            ("pair", pa.list_(pa.float64(), 2)),
            ("tags", pa.map_(pa.string(), pa.int64())),
            ("by_id", pa.map_(pa.int16(), pa.list_(pa.bool_()))),
        ]
    )
    values = draw(_nullable(NESTED, rows))
    stored = [v and {name: _as_stored(child) for name, child in v.items()} for v in values]
    return Sample("JSON", pa.array(stored, row), values)


def _as_stored(child: Any) -> Any:
    return list(child.items()) if isinstance(child, dict) else child


FLAT = (numbers, doubles, plain, coded, moments, texts_of_json)


@st.composite
def tables(draw: st.DrawFn, makers: tuple[Any, ...]) -> list[Sample]:
    """Draw one to five columns of the same number of rows."""
    rows = draw(st.integers(0, 6))
    chosen = draw(st.lists(st.sampled_from(makers), min_size=1, max_size=5))
    return [draw(maker(rows)) for maker in chosen]
