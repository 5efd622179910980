"""Tables of the contract's types, as plain rows, as Arrow and as built segments.

A value is None, bool, int (also days, microseconds and unscaled decimals), float or str.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from offloader.catalog.model import Column
from offloader.catalog.types import ColumnType, Kind, parse_type
from offloader.segment import build_columns, build_dictionary, build_paths, build_row_texts
from offloader.segment.access_path import PathSpec
from offloader.segment.build import BuildReport, PartTargets, build_segment
from offloader.segment.dictionary import DecimalDictionary, Dictionary
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import verify
from offloader.segment.read import ColumnView, Segment, open_segment
from offloader.segment.row_text_spec import RowTextSpec

Value = bool | int | float | str | None
FACTS = SnapshotFacts("usage", "r0001", "d" * 32, 1_780_272_000_000_000, 1_780_272_060_000_000)
_ARROW = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.JSON: pa.string(),
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a contract, in source order."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    tenant_column: str | None = None


def table(
    contract: str, rows: Sequence[tuple[Value, ...]] = (), tenant_column: str | None = None
) -> Table:
    """Make a table from a text such as `tenant VARCHAR, calls BIGINT`."""
    pairs = [entry.strip().split(" ") for entry in contract.split(", ")]
    columns = tuple(Column(name, parse_type(text)) for name, text in pairs)
    return Table(columns, tuple(rows), tenant_column)


def arrow_array(column_type: ColumnType, values: Sequence[Value]) -> pa.Array:
    """Return values as the Arrow array a source hands over."""
    if column_type.kind is not Kind.DECIMAL:
        return pa.array(values, _ARROW[column_type.kind])
    exact = [None if v is None else Decimal(f"{v}E-{column_type.scale}") for v in values]
    return pa.array(exact, pa.decimal128(column_type.precision, column_type.scale))


def arrow_tables(source: Table, cuts: Sequence[int] = (), encoded: bool = False) -> list[pa.Table]:
    """Return the rows as Arrow tables cut at row numbers; `encoded` makes text dictionaries."""
    whole = {}
    for place, column in enumerate(source.columns):
        array = arrow_array(column.type, [row[place] for row in source.rows])
        is_text = column.type.kind is Kind.VARCHAR
        whole[column.name] = array.dictionary_encode() if encoded and is_text else array
    ends = sorted({0, len(source.rows), *(cut for cut in cuts if cut < len(source.rows))})
    return [pa.table(whole).slice(a, b - a) for a, b in pairwise(ends)]


def texts_of(source: Table, *order: str) -> RowTextSpec:
    """Describe the row texts of all columns, `c` under the alias `c_out`, in a path's order."""
    return RowTextSpec(tuple((f"{c.name}_out", c.name) for c in source.columns), order)


def build_files(
    folder: Path, source: Table, paths: Sequence[tuple[str, ...]] = (), **options: Any
) -> tuple[BuildReport, PartTargets]:
    """Build a table's parts into `folder`; optional are `tables`, `texts`, build's options."""
    tables, texts = options.pop("tables", None), options.pop("texts", ())
    targets = PartTargets(
        folder / "columns",
        tuple((PathSpec(p), folder / f"path-{'-'.join(p)}") for p in paths),
        tuple((spec, folder / f"texts-{number}") for number, spec in enumerate(texts)),
    )
    report = build_segment(
        arrow_tables(source) if tables is None else tables,
        source.columns,
        source.tenant_column,
        targets,
        FACTS,
        **options,
    )
    return report, targets


@contextmanager
def small_steps() -> Iterator[None]:
    """Make a build cut even a few rows into many runs, pieces and samples."""
    with (
        patch.object(build_paths, "RUN_ROWS", 3),
        patch.object(build_columns, "PIECE_ROWS", 3),
        patch.object(build_dictionary, "SAMPLE_VALUES", 4),
        patch.object(build_row_texts, "PIECE_ROWS", 3),
        patch.object(build_row_texts, "PIECE_BYTES", 10),
    ):
        yield


def build(source: Table, paths: Sequence[tuple[str, ...]] = (), **options: Any) -> Segment:
    """Build, verify and open a table's segment; options as in `build_files`."""
    with tempfile.TemporaryDirectory() as folder:
        _, targets = build_files(Path(folder), source, paths, **options)
        others = (path for _, path in (*targets.paths, *targets.texts))
        parts = [path.read_bytes() for path in (targets.columns, *others)]
    for part in parts:
        verify(part)
    return open_segment(parts[0], parts[1:])


def column_values(view: ColumnView) -> list[Value]:
    """Return what a column says about each base row."""
    rows = slice(None)
    if view.type.kind in (Kind.JSON, Kind.VARCHAR):
        return list(view.texts(rows))
    values: list[Value] = view.gather(rows).tolist()
    if isinstance(view.dictionary, DecimalDictionary):
        present = list(view.dictionary) or [0]
        values = [present[code] for code in view.gather(rows)]
    if view.type.kind is Kind.BOOLEAN:
        values = [bool(value) for value in values]
    valid = view.is_valid(rows)
    keep = [True] * len(values) if valid is None else valid.tolist()
    return [value if is_valid else None for value, is_valid in zip(values, keep, strict=True)]


def physical(view: ColumnView, value: Any) -> int | float:
    """Return the value a path is asked for; -1 for a text or wide decimal that does not occur."""
    if isinstance(view.dictionary, Dictionary):
        return view.dictionary.find(value.encode())
    if isinstance(view.dictionary, DecimalDictionary):
        return view.dictionary.find(value)
    number: int | float = value
    return number


def physical_bounds(view: ColumnView, low: Any, high: Any) -> tuple[Any, Any]:
    """Return inclusive physical bounds for inclusive bounds, either of which may be None."""
    dictionary: Any = view.dictionary
    if dictionary is None:
        return low, high
    if isinstance(dictionary, Dictionary):
        low, high = (None if bound is None else bound.encode() for bound in (low, high))
    least = None if low is None else dictionary.lower_bound(low)
    greatest = None if high is None else dictionary.upper_bound(high) - 1
    return least, greatest


def sort_key(row: Sequence[Value], places: Sequence[int]) -> list[Any]:
    """Order rows by some of their values: ascending, text by its bytes, nulls last."""
    found = (row[place] for place in places)
    return [(v is None, v.encode() if isinstance(v, str) else v or 0) for v in found]
