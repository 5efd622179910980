"""Property: what is written to Parquet or CSV is read back as the contract says."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import given, settings

from tests.snapshots import FileFormat
from tests.sources.local_snapshots import open_document, publish_tables, read_rows
from tests.sources.strategies import FLAT, NOT_IN_CSV, Sample, nested, tables


def _read(samples: list[Sample], file_format: FileFormat) -> list[list[Any]]:
    names = [f"c{index}" for index in range(len(samples))]
    table = pa.table(dict(zip(names, [sample.array for sample in samples], strict=True)))
    half = table.num_rows // 2
    columns = [(name, sample.kind) for name, sample in zip(names, samples, strict=True)]
    with TemporaryDirectory() as folder:
        parts = [table.slice(0, half), table.slice(half)]
        document = publish_tables(Path(folder), parts, columns, file_format)
        rows = read_rows(open_document(Path(folder), document))
    return [[row[name] for row in rows] for name in names]


@settings(max_examples=100)
@given(tables(FLAT))
def test_parquet_is_read_as_written(samples: list[Sample]) -> None:
    """Every type of the contract survives Parquet, nulls and empty files included."""
    assert _read(samples, "parquet") == [sample.expected for sample in samples]


@settings(max_examples=100)
@given(tables(FLAT))
def test_csv_is_read_as_written(samples: list[Sample]) -> None:
    """Every type of the contract survives CSV: `,` `"` and line breaks in text, nulls, no rows."""
    written = [sample for sample in samples if sample.array.type not in NOT_IN_CSV]
    if written:
        assert _read(written, "csv") == [sample.expected for sample in written]


@settings(max_examples=100)
@given(tables((nested,)))
def test_nested_columns_become_the_same_json(samples: list[Sample]) -> None:
    """Structs, lists and maps become JSON text with the same values, keys in order."""
    for texts, sample in zip(_read(samples, "parquet"), samples, strict=True):
        read = [None if text is None else json.loads(text, parse_float=Decimal) for text in texts]
        assert read == [_as_json(value) for value in sample.expected]


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_as_json(child) for child in value]
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else value
