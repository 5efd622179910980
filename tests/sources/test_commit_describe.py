"""The manifest of a commit, made from its marker and from the ends of its files."""

from __future__ import annotations

import decimal
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from offloader.catalog.manifest import parse_manifest
from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.commit_describe import describe_commit
from offloader.sources.databricks import newest_commit
from offloader.stores.local import LocalStore
from offloader.stores.store import StoredObject
from tests.sources.commits import CommitFolder, parquet_bytes, part_name

A, B = "7315066556330505739", "2573423067284639534"


class Read(LocalStore):
    """A store that notes the bytes that were read of it."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.ranges: list[tuple[str, int]] = []

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        for chunk in super().read(found, start, length):
            self.ranges.append((found.key, len(chunk)))
            yield chunk


@pytest.fixture
def folder(tmp_path: Path) -> CommitFolder:
    return CommitFolder(tmp_path)


def describe(folder: CommitFolder, **options: Any) -> bytes:
    commit = newest_commit(folder.store, folder.prefix)
    return describe_commit(folder.store, folder.prefix, commit, dataset_id="usage", **options)


def refused(folder: CommitFolder, **options: Any) -> SnapshotRefused:
    with pytest.raises(SnapshotRefused) as error:
        describe(folder, **options)
    return error.value


def test_a_commit_is_described_whole(folder: CommitFolder) -> None:
    """Every field of the manifest, exactly; times are the marker's by the store's clock."""
    first = {"account": ["a", "b"], "calls": pa.array([1, 2], pa.int32())}
    second = {"account": ["c"], "calls": pa.array([3], pa.int64())}
    folder.publish(B, 5, {"other": [True]})
    folder.publish(A, 10.25, first, second)
    sizes = [len(parquet_bytes(first)), len(parquet_bytes(second))]
    raw = describe(folder)
    assert json.loads(raw) == {
        "dataset_id": "usage",
        "snapshot_id": f"tid_{A}",
        "created_at": "2026-09-21T14:13:30.250000Z",
        "watermark": "2026-09-21T14:13:30.250000Z",
        "schema": [{"name": "account", "type": "VARCHAR"}, {"name": "calls", "type": "BIGINT"}],
        "files": [
            {
                "path": part_name(A, number),
                "format": "parquet",
                "row_count": 2 - number,
                "size_bytes": sizes[number],
            }
            for number in range(2)
        ],
        "partition_columns": [],
        "sort_columns": [],
        "row_count": 3,
        "size_bytes": sum(sizes),
        "producer": "databricks",
        "upstream_run_id": A,
        "schema_version": 1,
        "data_quality_status": "passed",
        "compatibility_policy": "additive_only",
    }
    assert parse_manifest(raw, "manifest").row_count == 3


def test_replicas_make_the_same_bytes(folder: CommitFolder) -> None:
    """However many files are read at once."""
    folder.publish(A, 10, *({"n": [number]} for number in range(70)))
    assert describe(folder, at_once=1) == describe(folder, at_once=8)
    paths = [file["path"] for file in json.loads(describe(folder))["files"]]
    assert paths == [part_name(A, number) for number in range(70)]


def test_a_whole_second_has_no_fraction(folder: CommitFolder) -> None:
    """Times are ISO 8601 with Z."""
    folder.publish(A, 10, {"n": [1]})
    assert json.loads(describe(folder))["watermark"] == "2026-09-21T14:13:30Z"


def test_types_are_those_of_the_files(folder: CommitFolder) -> None:
    """Nested columns are JSON, one without any value is VARCHAR."""
    columns = {
        "flag": [True],
        "small": pa.array([1], pa.int16()),
        "money": pa.array([decimal.Decimal("1.50")], pa.decimal128(18, 2)),
        "score": [0.5],
        "day": pa.array([1], pa.date32()),
        "at": pa.array([1], pa.timestamp("us", tz="UTC")),
        "tags": [["x"]],
        "nothing": pa.nulls(1),
        "text": ['{"a":1}'],
    }
    folder.publish(A, 10, columns)
    types = {one["name"]: one["type"] for one in json.loads(describe(folder))["schema"]}
    assert types == {
        "flag": "BOOLEAN",
        "small": "INTEGER",
        "money": "DECIMAL(18,2)",
        "score": "DOUBLE",
        "day": "DATE",
        "at": "TIMESTAMP",
        "tags": "JSON",
        "nothing": "VARCHAR",
        "text": "VARCHAR",
    }


def test_text_that_the_contract_calls_json_is_json(folder: CommitFolder) -> None:
    """No Parquet file says so; a column of another type stays what it is."""
    folder.publish(A, 10, {"text": ['{"a":1}'], "flag": [True], "other": ["x"]})
    found = json.loads(describe(folder, json_columns=("text", "flag")))["schema"]
    assert [one["type"] for one in found] == ["JSON", "BOOLEAN", "VARCHAR"]


def test_a_commit_without_rows_has_a_schema(folder: CommitFolder) -> None:
    """A file without rows is a file: the snapshot is empty, not refused."""
    folder.publish(A, 10, pa.table({"n": pa.array([], pa.int64())}))
    document = json.loads(describe(folder))
    assert (document["row_count"], document["schema"]) == (0, [{"name": "n", "type": "BIGINT"}])


def test_only_the_ends_of_files_are_read(tmp_path: Path) -> None:
    """At most 64 KiB of a file with an ordinary footer; what no commit adds is not touched."""
    folder = CommitFolder(tmp_path, "")
    folder.publish(A, 10, {"n": list(range(200_000))})
    folder.write("part-00000-tid-9-stray.snappy.parquet", b"not Parquet", 20)
    size = (tmp_path / part_name(A)).stat().st_size
    assert size > 1 << 20
    store = Read(str(tmp_path))
    commit = newest_commit(folder.store, "")
    describe_commit(store, "", commit, dataset_id="usage")
    assert store.ranges == [(part_name(A), 64 << 10)]


def test_a_long_footer_is_read_whole(folder: CommitFolder) -> None:
    """Thousands of columns make one of more than the first read."""
    folder.publish(A, 10, {f"column_{number}": [number] for number in range(1500)})
    document = json.loads(describe(folder))
    assert (len(document["schema"]), document["row_count"]) == (1500, 1)


def test_the_stores_checksum_becomes_the_files(folder: CommitFolder) -> None:
    """A bucket knows one; so what is downloaded later is compared with it."""
    folder.publish(A, 10, {"n": [1]})

    class Knowing(LocalStore):
        def stat(self, key: str) -> StoredObject:
            found = super().stat(key)
            return StoredObject(
                found.key,
                found.size_bytes,
                found.version,
                found.modified_at,
                ("crc32c", "0badf00d"),
            )

    commit = newest_commit(folder.store, folder.prefix)
    raw = describe_commit(Knowing(str(folder.root)), folder.prefix, commit, dataset_id="usage")
    assert json.loads(raw)["files"][0]["crc32c"] == "0badf00d"
    assert parse_manifest(raw, "manifest").files[0].checksum == ("crc32c", "0badf00d")


def test_a_missing_file_is_waited_for_and_then_refused(folder: CommitFolder) -> None:
    """A listing may be late; after ten minutes a clean-up took the file."""
    folder.publish(A, 10, {"n": [1]}, {"n": [2]})
    folder.remove(part_name(A, 1))
    with pytest.raises(SourceUnavailable) as failed:
        describe(folder, waited_seconds=599)
    assert failed.value.code == "commit_file_missing"
    assert failed.value.message == f"{part_name(A, 1)}, which commit {A} adds, is not there"
    error = refused(folder, waited_seconds=600)
    assert (error.code, error.problems[0].file) == ("commit_file_missing", part_name(A, 1))
    assert error.hint.startswith("VACUUM")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"x" * 100,
        parquet_bytes({"n": [1]})[:-1],
        b"PAR1" + b"\xff" * 4 + b"PAR1",
        b"PAR1" + b"\x00" * 40 + b"\x20\x00\x00\x00PAR1",
        parquet_bytes({"n": [1]})[:-4] + b"PARE",
    ],
)
def test_what_is_no_parquet_file_is_refused(folder: CommitFolder, content: bytes) -> None:
    """Empty, cut short, damaged or encrypted: by the file's name, and for good."""
    folder.publish(A, 10, {"n": [1]})
    folder.write(part_name(A), content, 9)
    error = refused(folder)
    assert (error.code, error.problems[0].file) == ("file_unreadable", part_name(A))


def test_files_of_one_commit_have_to_agree(folder: CommitFolder) -> None:
    """A column that is a text here and a number there has no type."""
    folder.publish(A, 10, {"n": [1]}, {"n": ["x"]})
    error = refused(folder)
    assert (error.code, error.problems[0].file) == ("file_types_conflict", part_name(A, 1))


def test_a_type_no_contract_has_is_refused(folder: CommitFolder) -> None:
    """Such as bytes."""
    folder.publish(A, 10, {"n": [b"x"]})
    assert refused(folder).code == "file_type_unsupported"
