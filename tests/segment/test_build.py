"""What a build refuses, counts and leaves alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings

from offloader.errors import SegmentCorrupt, SnapshotRefused
from offloader.segment.build_unique import count_duplicates
from offloader.segment.layout import verify
from tests.segment.strategies import tables
from tests.segment.tables import Table, Value, build, build_files, column_values, small_steps, table


def _no_tables() -> Iterator[pa.Table]:
    raise AssertionError("the source was read again")
    yield pa.table({})


def test_a_snapshot_without_rows_is_a_segment_of_no_rows(usage: Table) -> None:
    """No table at all and tables of no rows make the same, valid segment."""
    empty = Table(usage.columns, (), "tenant")
    paths = [("tenant", "account", "day")]
    without_rows = [build(empty, paths), build(empty, paths, tables=[])]
    for segment in without_rows:
        assert (segment.row_count, segment.ordinal) == (0, None)
        assert all(column_values(view) == [] for view in segment.columns.values())
        assert segment.paths[0].find([]) == (0, 0)


def test_more_rows_than_row_numbers_are_refused(tmp_path: Path) -> None:
    """A snapshot that uint32 cannot number is refused for good, and no file is left."""
    source = table("a BIGINT", [(1,), (2,), (3,)])
    with pytest.raises(SnapshotRefused, match="at most 2 rows") as caught:
        build_files(tmp_path, source, max_rows=2)
    assert caught.value.code == "too_many_rows"
    assert list(tmp_path.iterdir()) == []
    build_files(tmp_path, source, max_rows=3)


def test_only_missing_parts_are_built(tmp_path: Path, usage: Table) -> None:
    """A new path is built from the columns part on disk: the source is not asked again."""
    _, first = build_files(tmp_path, usage, [("tenant",)])
    before = first.columns.stat().st_mtime_ns
    paths = [("tenant",), ("tenant", "day")]
    report, targets = build_files(tmp_path, usage, paths, tables=_no_tables())
    new = targets.paths[1][1]
    assert report.written_bytes == {new: new.stat().st_size}
    assert (report.row_count, report.null_counts["day"]) == (5, 1)
    assert first.columns.stat().st_mtime_ns == before
    verify(new.read_bytes())


def test_a_path_is_not_built_from_a_damaged_columns_part(tmp_path: Path, usage: Table) -> None:
    """What is on disk is verified before anything is derived from it."""
    _, targets = build_files(tmp_path, usage)
    damaged = bytearray(targets.columns.read_bytes())
    damaged[70] ^= 1
    targets.columns.write_bytes(damaged)
    with pytest.raises(SegmentCorrupt, match="'ordinal'"):
        build_files(tmp_path, usage, [("tenant",)])


def test_the_report_counts_nulls(tmp_path: Path, usage: Table) -> None:
    """Every column's nulls are counted; without a unique key there are no duplicates to count."""
    report, _ = build_files(tmp_path, usage)
    nulls = {"account": 1, "day": 1, "extra": 1, "active": 1, "tenant": 0}
    assert {name: report.null_counts[name] for name in nulls} == nulls
    assert (report.row_count, report.duplicate_keys) == (5, None)


def test_nan_and_infinities_are_nulls(tmp_path: Path) -> None:
    """A DOUBLE that is not a finite number is null, and counted so."""
    source = table("a DOUBLE", [(math.nan,), (1.0,), (-math.inf,), (None,)])
    report, _ = build_files(tmp_path, source)
    assert report.null_counts == {"a": 3}
    assert column_values(build(source).columns["a"]) == [None, 1.0, None, None]


def test_what_lies_under_a_null_does_not_matter() -> None:
    """Arrow leaves any value under a null; the segment holds 0 there."""
    values = pa.Array.from_buffers(
        pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(bytes([7, *[0] * 7, 9, *[0] * 7]))]
    )
    segment = build(table("a BIGINT", [(7,), (None,)]), tables=[pa.table({"a": values})])
    assert segment.columns["a"].gather(slice(None)).tolist() == [7, 0]


def test_dictionaries_with_spare_repeated_and_null_entries(tmp_path: Path) -> None:
    """Only the values that rows hold are in the segment, whatever dictionary they came in."""
    words = pa.array(["spare", "b", "a", "b", None, "a"])
    codes = pa.array([1, 3, None, 4, 5], pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, words)
    spare = pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int32()), words.slice(0, 4))
    source = table("a VARCHAR", [("b",), ("b",), (None,), (None,), ("a",), ("b",), (None,)])
    segment = build(source, tables=[pa.table({"a": column}), pa.table({"a": spare})])
    view = segment.columns["a"]
    assert column_values(view) == [row[0] for row in source.rows]
    assert view.dictionary is not None
    assert list(view.dictionary) == [b"a", b"b"]
    build_files(
        tmp_path / "coded", source, tables=[pa.table({"a": column}), pa.table({"a": spare})]
    )
    build_files(tmp_path / "plain", source)
    assert (tmp_path / "coded/columns").read_bytes() == (tmp_path / "plain/columns").read_bytes()


@pytest.mark.parametrize(
    ("count", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65_537, "uint32")]
)
def test_codes_are_as_wide_as_the_dictionary_asks(count: int, dtype: str) -> None:
    """One byte per code up to 256 texts, two up to 65,536, four above."""
    rows: list[tuple[Value, ...]] = [(f"{n:06d}",) for n in reversed(range(count))]
    view = build(table("a VARCHAR", rows)).columns["a"]
    codes = view.gather(slice(None))
    assert codes.dtype.name == dtype
    assert codes.tolist() == list(range(count - 1, -1, -1))
    assert view.texts(slice(0, 1)) == [f"{count - 1:06d}"]


def test_a_decimal_beyond_its_precision_is_refused() -> None:
    """A number that would not fit 64 bits is refused, never cut."""
    column = pa.array([Decimal(10**20)], pa.decimal128(38, 0))
    narrow = pa.Array.from_buffers(pa.decimal128(18, 0), 1, column.buffers())
    with pytest.raises(SnapshotRefused) as caught:
        build(table("a DECIMAL(18,0)"), tables=[pa.table({"a": narrow})])
    assert caught.value.code == "decimal_out_of_range"


def test_a_source_that_fails_leaves_no_file(tmp_path: Path) -> None:
    """An error of the tables reaches the caller and nothing is written."""
    with pytest.raises(AssertionError, match="read again"):
        build_files(tmp_path, table("a BIGINT"), tables=_no_tables())
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=100)
@given(source=tables())
def test_duplicates_equal_a_scan(source: Table) -> None:
    """A row repeats a key when an earlier row has the same values and none of them is null."""
    with small_steps():
        segment = build(source)
    names = [column.name for column in source.columns]
    keys = [row for row in source.rows if None not in row]
    assert count_duplicates(segment, names) == len(keys) - len(set(keys))


def test_duplicates_are_in_the_report(tmp_path: Path) -> None:
    """`unique` counts the rows beyond the first of each key; keys with a null never repeat."""
    rows: list[tuple[Value, ...]] = [
        ("x", 1),
        ("x", 1),
        ("x", 2),
        ("x", None),
        ("x", None),
        ("x", 1),
    ]
    report, _ = build_files(tmp_path, table("t VARCHAR, a BIGINT", rows, "t"), unique=("t", "a"))
    assert report.duplicate_keys == 2
