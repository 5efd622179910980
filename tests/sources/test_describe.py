"""A manifest made of files that lie on disk is one that opens them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from offloader.errors import SnapshotRefused
from offloader.sources.arrow_types import contract_type
from offloader.sources.describe import create_manifest
from tests.sources.local_snapshots import columns_of, open_document, read_rows

FACTS: dict[str, Any] = {
    "dataset_id": "usage",
    "snapshot_id": "s1",
    "created_at": "2026-06-01T00:00:00Z",
    "watermark": "2026-06-01T00:00:00Z",
    "producer": "tests",
    "upstream_run_id": "1",
}


def test_files_of_a_folder_are_described(tmp_path: Path) -> None:
    """Files come by path; hidden ones and markers of other tools are left out."""
    (tmp_path / "b").mkdir()
    for path, ids in (("b/1.parquet", [1, 2]), ("a.parquet", [3])):
        table = pa.table({"id": pa.array(ids, pa.int32()), "amount": [Decimal("1.50")] * len(ids)})
        pa_parquet.write_table(table, tmp_path / path)
    for path in ("_tmp.parquet", ".a.csv", "README.md"):
        (tmp_path / path).write_text("x")
    document = create_manifest(tmp_path, **FACTS)
    assert document["schema"] == [
        {"name": "id", "type": "INTEGER"},
        {"name": "amount", "type": "DECIMAL(3,2)"},
    ]
    assert document["row_count"] == 3
    found = open_document(tmp_path, document)
    assert [file.path for file in found.manifest.files] == ["a.parquet", "b/1.parquet"]
    assert [row["id"] for row in read_rows(found)] == [3, 1, 2]


def test_columns_of_csv_are_inferred(tmp_path: Path) -> None:
    """Whole numbers are BIGINT, times need their time, a column without values is text."""
    (tmp_path / "a.csv").write_text(
        "n,x,t,d,s,e\n1,1.5,2026-06-01T00:00:00Z,2026-06-01,12:00:00,\n,,,,,\n"
    )
    (tmp_path / "b.csv").write_text("n,x,t,d,s,e")
    document: dict[str, Any] = create_manifest(tmp_path, **FACTS)
    kinds = [column["type"] for column in document["schema"]]
    assert kinds == ["BIGINT", "DOUBLE", "TIMESTAMP", "DATE", "VARCHAR", "VARCHAR"]
    assert [file["row_count"] for file in document["files"]] == [2, 0]
    assert len(read_rows(open_document(tmp_path, document))) == 2


def test_given_columns_and_no_checksum(tmp_path: Path) -> None:
    """A contract may be given instead of what the files suggest."""
    (tmp_path / "a.csv").write_text("n\n007\n")
    columns = columns_of([("n", "VARCHAR")])
    document: dict[str, Any] = create_manifest(tmp_path, columns=columns, checksum=None, **FACTS)
    assert document["files"] == [
        {"path": "a.csv", "format": "csv", "row_count": 1, "size_bytes": 6}
    ]
    assert read_rows(open_document(tmp_path, document)) == [{"n": "007"}]


def test_types_are_widened_over_files(tmp_path: Path) -> None:
    """A column that is wider or has no value in another file takes the wider type."""
    for index, array in enumerate([pa.array([1], pa.int32()), pa.nulls(1), pa.array([2])]):
        pa_parquet.write_table(pa.table({"n": array}), tmp_path / f"{index}.parquet")
    document = create_manifest(tmp_path, **FACTS)
    assert document["schema"] == [{"name": "n", "type": "BIGINT"}]
    assert [row["n"] for row in read_rows(open_document(tmp_path, document))] == [1, None, 2]


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ([pa.array([1]), pa.array(["1"])], "file_types_conflict"),
        ([pa.array([b"x"])], "file_type_unsupported"),
    ],
)
def test_files_without_a_common_contract_are_refused(
    tmp_path: Path, arrays: list[pa.Array], code: str
) -> None:
    """No type fits: the file and the column are named."""
    for index, array in enumerate(arrays):
        pa_parquet.write_table(pa.table({"n": array}), tmp_path / f"{index}.parquet")
    with pytest.raises(SnapshotRefused) as caught:
        create_manifest(tmp_path, **FACTS)
    last = len(arrays) - 1
    assert [(problem.file, problem.path, problem.code) for problem in caught.value.problems] == [
        (f"{last}.parquet", "n", code)
    ]


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (pa.bool_(), "BOOLEAN"),
        (pa.uint16(), "INTEGER"),
        (pa.uint32(), "BIGINT"),
        (pa.uint64(), "DECIMAL(20,0)"),
        (pa.float16(), "DOUBLE"),
        (pa.decimal256(38, 3), "DECIMAL(38,3)"),
        (pa.dictionary(pa.int8(), pa.string_view()), "VARCHAR"),
        (pa.timestamp("s"), "TIMESTAMP"),
        (pa.map_(pa.string(), pa.int8()), "JSON"),
        (pa.decimal256(39, 0), "None"),
        (pa.decimal128(5, -2), "None"),
        (pa.map_(pa.list_(pa.int8()), pa.int8()), "None"),
        (pa.struct([pa.field("a", pa.int8()), pa.field("a", pa.int8())]), "None"),
        (pa.null(), "None"),
    ],
)
def test_each_arrow_type_has_its_column_type(stored: pa.DataType, kind: str) -> None:
    """The narrowest type that takes every value, or none."""
    assert str(contract_type(stored)) == kind
