"""Snapshots in a directory: where files may lie, and what a manifest must say of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

from offloader.errors import ConfigError, SnapshotRefused, SourceUnavailable
from offloader.sources.manifest_file import read_manifest, resolve_manifest
from offloader.sources.parquet import MAX_BATCH_ROWS
from tests.snapshots import file_entry, manifest_document
from tests.sources.local_snapshots import (
    open_document,
    publish_tables,
    publish_text,
    read_rows,
    refused,
)

COLUMNS = [("name", "VARCHAR"), ("calls", "INTEGER")]
TEXT = "name,calls\na,1\nb,2\n"
ROWS = [{"name": "a", "calls": 1}, {"name": "b", "calls": 2}]


def test_files_are_read_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    """Rows keep the order of files and of rows in them; empty files are fine."""
    schema = pa.schema([("calls", pa.int32())])
    tables = [pa.table({"calls": part}, schema=schema) for part in ([3, 1], [], [2])]
    document = publish_tables(tmp_path, tables, [("calls", "INTEGER")])
    assert read_rows(open_document(tmp_path, document)) == [{"calls": n} for n in (3, 1, 2)]


def test_a_snapshot_without_files_has_no_rows(tmp_path: Path) -> None:
    """An empty list of files is an empty table."""
    snapshot = open_document(tmp_path, manifest_document("usage", COLUMNS, []))
    assert list(snapshot.tables()) == []


def test_only_the_contract_is_read_in_its_order(tmp_path: Path) -> None:
    """Columns beyond the contract are declared and not served."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    snapshot = open_document(tmp_path, document, [("calls", "INTEGER")])
    assert [table.to_pydict() for table in snapshot.tables()] == [{"calls": [1, 2]}]


def test_an_incompatible_snapshot_is_refused_before_a_file_is_read(tmp_path: Path) -> None:
    """The schema is compared first: the missing file is not even looked for."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    (tmp_path / "part.csv").unlink()
    with pytest.raises(SnapshotRefused) as caught:
        open_document(tmp_path, document, [("calls", "BIGINT")])
    assert caught.value.code == "type_narrowed"


def test_all_absent_and_short_files_are_reported_at_once(tmp_path: Path) -> None:
    """Existence and size of every file are checked before the first is read."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    (tmp_path / "part.csv").write_text(TEXT[:-1])
    entry = document["files"][0]
    document["files"] += [{**entry, "path": "part.csv/x"}, {**entry, "path": "z.csv"}]
    document["row_count"], document["size_bytes"] = 6, 3 * entry["size_bytes"]
    with pytest.raises(SnapshotRefused) as caught:
        open_document(tmp_path, document)
    assert [(problem.file, problem.code) for problem in caught.value.problems] == [
        ("part.csv", "file_size_differs"),
        ("part.csv/x", "file_missing"),
        ("z.csv", "file_missing"),
    ]
    assert caught.value.problems[0].message == "it has 18 bytes, the manifest says 19"


@pytest.mark.parametrize(
    ("algorithm", "checksum"),
    [
        ("sha256", hashlib.sha256(TEXT.encode()).hexdigest()),
        ("md5", hashlib.md5(TEXT.encode()).hexdigest()),
        ("crc32c", f"{google_crc32c.value(TEXT.encode()):08X}"),
        ("xxh3_128", None),
    ],
)
def test_every_checksum_is_compared(tmp_path: Path, algorithm: str, checksum: str | None) -> None:
    """The right checksum passes in either case, another is refused."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    entry = document["files"][0]
    right = checksum or entry["xxh3_128"]
    del entry["xxh3_128"]
    entry[algorithm] = right
    assert read_rows(open_document(tmp_path, document)) == ROWS
    entry[algorithm] = "0" * len(right)
    with refused("file_checksum_differs"):
        read_rows(open_document(tmp_path, document))


@pytest.mark.parametrize("make", ["folder", "fifo"])
def test_only_regular_files_are_opened(tmp_path: Path, make: str) -> None:
    """A folder or a pipe is refused without waiting for its other end."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    path = tmp_path / "part.csv"
    path.unlink()
    path.mkdir() if make == "folder" else os.mkfifo(path)
    with refused("file_not_regular"):
        open_document(tmp_path, document)


def test_a_symlink_may_not_leave_the_root(tmp_path: Path) -> None:
    """A link inside the project is followed, a link out of it is refused."""
    root = tmp_path / "project"
    root.mkdir()
    document = publish_text(root, TEXT, 2, COLUMNS)
    (root / "part.csv").rename(root / "real.csv")
    (root / "part.csv").symlink_to("real.csv")
    assert read_rows(open_document(root, document)) == ROWS
    (root / "real.csv").rename(tmp_path / "real.csv")
    (root / "real.csv").symlink_to(tmp_path / "real.csv")
    with refused("symlink_leaves_project"):
        open_document(root, document)


def test_a_link_that_leads_to_itself_is_no_file(tmp_path: Path) -> None:
    """A loop of links ends."""
    document = publish_text(tmp_path, TEXT, 2, COLUMNS)
    (tmp_path / "part.csv").unlink()
    (tmp_path / "part.csv").symlink_to("part.csv")
    with refused("file_missing"):
        open_document(tmp_path, document)


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def _truncate(path: Path) -> None:
    os.truncate(path, 4)


@pytest.mark.parametrize("change", [_replace, _truncate, Path.unlink])
def test_a_file_that_changes_meanwhile_is_read_again_later(tmp_path: Path, change: Any) -> None:
    """A published file must stay as it is; overwriting it is found, whatever was read."""
    two_groups = pa.table({"calls": pa.array(np.arange(MAX_BATCH_ROWS + 1), pa.int32())})
    document = publish_tables(tmp_path, [two_groups], [("calls", "INTEGER")])
    tables = open_document(tmp_path, document).tables()
    assert next(tables).num_rows == MAX_BATCH_ROWS
    change(tmp_path / "part-0.parquet")
    with pytest.raises(SourceUnavailable) as caught:
        list(tables)
    assert caught.value.code == "file_changed"


def test_a_snapshot_of_many_formats_is_one_table(tmp_path: Path) -> None:
    """Parquet and CSV files may stand in one manifest."""
    document = publish_tables(
        tmp_path, [pa.table({"name": ["z"], "calls": pa.array([9], pa.int8())})], COLUMNS
    )
    path = tmp_path / "more.csv"
    path.write_text(TEXT)
    entries = [*document["files"], file_entry(path, tmp_path, "csv", 2)]
    mixed = manifest_document("usage", COLUMNS, entries)
    assert read_rows(open_document(tmp_path, mixed)) == [{"name": "z", "calls": 9}, *ROWS]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/manifest.json", "path_absolute"),
        ("../manifest.json", "path_leaves_project"),
        ("data/../../manifest.json", "path_leaves_project"),
        ("a\\b.json", "path_invalid"),
        ("a\0.json", "path_invalid"),
        ("out/manifest.json", "symlink_leaves_project"),
        ("s3://bucket/manifest.json", "url_unsupported"),
    ],
)
def test_a_manifest_path_may_not_leave_the_project(tmp_path: Path, path: str, code: str) -> None:
    """Each way out is refused with its own code."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(ConfigError) as caught:
        resolve_manifest(root, path)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_a_manifest_path_need_not_exist(tmp_path: Path) -> None:
    """A project may be served before its first snapshot is published."""
    assert resolve_manifest(tmp_path, "data/m.json") == tmp_path.resolve() / "data" / "m.json"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("m.json", "manifest_missing"),
        ("file/m.json", "manifest_missing"),
        ("folder", "manifest_unreadable"),
        ("pipe", "manifest_unreadable"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_tried_again(
    tmp_path: Path, path: str, code: str
) -> None:
    """An absent or unreadable manifest is a transient failure."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnavailable) as caught:
        read_manifest(tmp_path / path)
    assert caught.value.code == code


def test_a_manifest_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A huge file is not read whole: one byte beyond the limit tells enough."""
    path = tmp_path / "m.json"
    path.write_bytes(b"{}")
    assert read_manifest(path) == b"{}"
    os.truncate(path, 2**40)
    assert len(read_manifest(path)) == 16 * 2**20 + 1
