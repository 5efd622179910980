"""Parquet: which stored types are read as which column type, and in tables of bounded size."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from offloader.sources.arrow_types import CODED_TEXT
from tests.snapshots import file_entry, manifest_document
from tests.sources.local_snapshots import (
    open_document,
    publish_tables,
    read_column,
    read_rows,
    refused,
)


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([2**31], pa.uint32()), "BIGINT", [2**31]),
        (pa.array([1.5, None], pa.float32()), "DOUBLE", [1.5, None]),
        (pa.array([0.5, float("nan")], pa.float16()), "DOUBLE", [0.5, None]),
        (pa.array([2**53], pa.int64()), "DOUBLE", [2.0**53]),
        (pa.array([7], pa.int8()), "DECIMAL(5,2)", [Decimal("7.00")]),
        (pa.array([Decimal("1.1")], pa.decimal32(5, 1)), "DECIMAL(6,2)", [Decimal("1.10")]),
        (pa.array([Decimal("-9")], pa.decimal64(18, 0)), "DECIMAL(18,0)", [Decimal("-9")]),
        (pa.array([Decimal("1")], pa.decimal256(38, 0)), "DECIMAL(38,0)", [Decimal("1")]),
        (pa.array([86_400_000], pa.date64()), "DATE", [date(1970, 1, 2)]),
        (pa.array([5, None]).dictionary_encode(), "BIGINT", [5, None]),
        (pa.nulls(2), "VARCHAR", [None, None]),
        (pa.nulls(1), "DECIMAL(3,1)", [None]),
        (pa.nulls(1), "JSON", [None]),
        (pa.nulls(1), "TIMESTAMP", [None]),
        (pa.array(['{"a": 1}'], pa.json_()), "JSON", ['{"a":1}']),
        (pa.array(["[ ]", "[ ]", None]).dictionary_encode(), "JSON", ["[]", "[]", None]),
    ],
)
def test_a_type_that_fits_is_read_without_loss(
    tmp_path: Path, array: pa.Array, kind: str, expected: list[Any]
) -> None:
    """A file may hold a narrower type than the manifest declares."""
    assert read_column(tmp_path, array, kind) == expected


def test_nanoseconds_are_floored(tmp_path: Path) -> None:
    """Digits below a microsecond are dropped towards the past, before 1970 too."""
    found = read_column(tmp_path, pa.array([1999, -1], pa.timestamp("ns")), "TIMESTAMP")
    assert found == [
        datetime(1970, 1, 1, 0, 0, 0, 1, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    ]


@pytest.mark.parametrize(
    ("array", "kind", "code"),
    [
        (pa.array([1], pa.int64()), "INTEGER", "file_type_differs"),
        (pa.array([1], pa.uint32()), "INTEGER", "file_type_differs"),
        (pa.array([1], pa.uint64()), "BIGINT", "file_type_differs"),
        (pa.array([1.0]), "BIGINT", "file_type_differs"),
        (pa.array([1], pa.int64()), "DECIMAL(18,0)", "file_type_differs"),
        (pa.array([Decimal("1.11")]), "DECIMAL(5,1)", "file_type_differs"),
        (pa.array([Decimal("1111.1")]), "DECIMAL(5,2)", "file_type_differs"),
        (pa.array([1]), "VARCHAR", "file_type_differs"),
        (pa.array(["2026-01-01"]), "DATE", "file_type_differs"),
        (pa.array([0], pa.timestamp("us")), "DATE", "file_type_differs"),
        (pa.array(["true"]), "BOOLEAN", "file_type_differs"),
        (pa.array([1]), "JSON", "file_type_differs"),
        (pa.array([b"x"]), "VARCHAR", "file_type_unsupported"),
        (pa.array([1], pa.time64("us")), "BIGINT", "file_type_unsupported"),
        (pa.array([1], pa.duration("s")), "BIGINT", "file_type_unsupported"),
        (pa.array([[b"x"]]), "JSON", "file_type_unsupported"),
        (pa.array([[1]], pa.list_view(pa.int32())), "JSON", "file_type_unsupported"),
        (pa.array([b"x" * 16], pa.uuid()), "VARCHAR", "file_type_unsupported"),
    ],
)
def test_a_type_that_does_not_fit_is_refused(
    tmp_path: Path, array: pa.Array, kind: str, code: str
) -> None:
    """No value is looked at: the stored type alone says that it could lose digits or meaning."""
    with refused(code, path="value"):
        read_column(tmp_path, array, kind)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([0, 2**53 + 1]), "DOUBLE"),
        (pa.array([0, 2**60], pa.timestamp("ms")), "TIMESTAMP"),
        (pa.array([0, 253_402_300_800], pa.timestamp("s")), "TIMESTAMP"),
        (pa.array([0, 2_932_897], pa.int32()).cast(pa.date32()), "DATE"),
    ],
)
def test_a_value_out_of_range_is_refused_at_its_row(
    tmp_path: Path, array: pa.Array, kind: str
) -> None:
    """Values that no double keeps, and times outside the years 1 to 9999."""
    with refused("value_invalid", path="value", row=2):
        read_column(tmp_path, array, kind)


def test_text_must_be_utf8(tmp_path: Path) -> None:
    """Bytes that only claim to be text are found when they are read."""
    bad = pa.Array.from_buffers(
        pa.string(), 3, [None, *pa.array([b"a", b"\xff", b"b"]).buffers()[1:]]
    )
    with refused("text_not_utf8", path="value", row=2):
        read_column(tmp_path, bad, "VARCHAR")


def test_json_text_is_refused_at_its_row(tmp_path: Path) -> None:
    """The row is counted over the whole file, through a dictionary too."""
    texts = pa.array(["[]"] * 5000 + ["[,"] + ["{}"] * 10)
    with refused("json_invalid", path="value", row=5001):
        read_column(tmp_path, texts, "JSON")
    with refused("json_invalid", path="value", row=5001):
        read_column(tmp_path, texts.dictionary_encode(), "JSON")


def test_a_table_has_the_types_of_the_contract(tmp_path: Path) -> None:
    """Tables have exactly the schema announced, in the contract's order."""
    columns = [("d", "DECIMAL(9,2)"), ("t", "TIMESTAMP"), ("j", "JSON"), ("i", "BIGINT")]
    table = pa.table(
        {
            "i": pa.array([1], pa.int16()),
            "j": pa.array([{"a": [None]}]),
            "t": pa.array([0], pa.timestamp("ms", "Asia/Tokyo")),
            "d": pa.array([Decimal("1.5")]),
        }
    )
    (read,) = open_document(tmp_path, publish_tables(tmp_path, [table], columns)).tables()
    assert read.schema == pa.schema(
        [
            ("d", pa.decimal128(9, 2)),
            ("t", pa.timestamp("us", "UTC")),
            ("j", pa.large_string()),
            ("i", pa.int64()),
        ]
    )
    assert read.to_pylist() == [
        {"d": Decimal("1.50"), "t": datetime(1970, 1, 1, tzinfo=UTC), "j": '{"a":[null]}', "i": 1}
    ]


def test_repeated_text_stays_coded(tmp_path: Path) -> None:
    """Text that the file holds as codes arrives as codes, other text as text."""
    table = pa.table(
        {"kind": ["eu", None] * 500, "name": [f"customer {number}" for number in range(1000)]}
    )
    columns = [("kind", "VARCHAR"), ("name", "VARCHAR")]
    (read,) = open_document(tmp_path, publish_tables(tmp_path, [table], columns)).tables()
    assert read.schema.types == [CODED_TEXT, pa.string()]
    assert read.to_pydict() == table.to_pydict()


def test_tables_are_of_bounded_size(tmp_path: Path) -> None:
    """A row group of any size is read in pieces: by rows, and by bytes where rows are long."""
    long = pa.table({"value": [f"{number:016384d}" for number in range(5000)]})
    path = tmp_path / "long.parquet"
    pa_parquet.write_table(long, path, use_dictionary=False)
    document = manifest_document(
        "usage", [("value", "VARCHAR")], [file_entry(path, tmp_path, "parquet", 5000)]
    )
    sizes = [table.num_rows for table in open_document(tmp_path, document).tables()]
    assert sizes == [4096, 904]


def test_several_threads_read_the_same(tmp_path: Path) -> None:
    """The number of threads changes no row."""
    table = pa.table({"a": range(1000), "b": [f"{n}" for n in range(1000)]})
    document = publish_tables(tmp_path, [table], [("a", "BIGINT"), ("b", "VARCHAR")])
    assert read_rows(open_document(tmp_path, document, threads=2)) == table.to_pylist()


def test_far_timestamps_of_old_writers_are_kept(tmp_path: Path) -> None:
    """INT96 times, as older writers store them, do not wrap in the year 9999."""
    moment = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    path = tmp_path / "old.parquet"
    table = pa.table({"value": pa.array([moment], pa.timestamp("us", "UTC"))})
    pa_parquet.write_table(table, path, use_deprecated_int96_timestamps=True)
    document = manifest_document(
        "usage", [("value", "TIMESTAMP")], [file_entry(path, tmp_path, "parquet", 1)]
    )
    assert read_rows(open_document(tmp_path, document)) == [{"value": moment}]


def _without_end(content: bytes) -> bytes:
    return content[:-9]


def _without_start(content: bytes) -> bytes:
    return content[999:]


def _blotted(content: bytes) -> bytes:
    return content[:100] + bytes(500) + content[600:]


def _empty(_content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [_without_end, _without_start, _blotted, _empty])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Any) -> None:
    """A footer cut off or a page overwritten is found, without a checksum too."""
    path = tmp_path / "part.parquet"
    pa_parquet.write_table(pa.table({"value": range(5000)}), path)
    path.write_bytes(damage(path.read_bytes()))
    entry = file_entry(path, tmp_path, "parquet", 5000)
    document = manifest_document("usage", [("value", "BIGINT")], [entry])
    with refused("file_unreadable"):
        read_rows(open_document(tmp_path, document))


def test_another_number_of_rows_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    """The footer's count is compared first."""
    document = publish_tables(tmp_path, [pa.table({"value": [1]})], [("value", "BIGINT")])
    document["files"][0]["row_count"] = document["row_count"] = 2
    with refused("file_row_count_differs"):
        next(open_document(tmp_path, document).tables())
