"""The manifest: what is read, and every rule that refuses one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.catalog.manifest import (
    MAX_MANIFEST_BYTES,
    ManifestFile,
    ManifestInvalid,
    manifest_document,
    parse_manifest,
)
from offloader.catalog.model import Column
from offloader.catalog.types import parse_type
from offloader.errors import Problem
from tests.catalog.manifests import COLUMNS, file, parse, places_of, problems_of, valid

SHA256 = "AB" * 32


def test_a_valid_manifest_is_read_exactly() -> None:
    """Times become µs in UTC, a version text, a checksum lower case, files keep their order."""
    files = [file("a.parquet", 2, 20, sha256=SHA256), file("s3://b/k/c.csv", 1, 10, format="csv")]
    found = parse(valid(files=files))
    assert (found.dataset_id, found.snapshot_id) == ("usage", "2026-06-01T00:00:00Z_r0007")
    assert (found.created_at, found.watermark) == (1_780_272_000_000_001, 1_780_272_000_000_000)
    assert found.columns == tuple(Column(name, parse_type(kind)) for name, kind in COLUMNS)
    assert found.files == (
        ManifestFile("a.parquet", "parquet", 2, 20, ("sha256", SHA256.lower())),
        ManifestFile("s3://b/k/c.csv", "csv", 1, 10),
    )
    assert [file.is_url for file in found.files] == [False, True]
    assert (found.partition_columns, found.sort_columns) == (("day",), ("account_id", "day"))
    assert (found.row_count, found.size_bytes, found.schema_version) == (3, 30, "3")
    assert (found.producer, found.upstream_run_id) == ("nightly export", "run/41")
    assert (found.data_quality_status, found.compatibility_policy) == ("warning", "additive_only")


def test_the_digest_is_of_the_content_and_not_of_its_layout() -> None:
    """Spaces and key order do not change the digest; any value does, also of an unknown key."""
    document = valid()
    turned = dict(reversed(document.items()))
    compact = parse_manifest(json.dumps(turned, separators=(",", ":")).encode(), "other")
    assert parse(document).digest == compact.digest == "3589d9274e3f595fdc62c45b25c55ce6"
    assert parse(valid(note=1)).digest != parse(document).digest


def test_unknown_keys_are_ignored_but_in_files() -> None:
    """A new field of a producer is no error; a mistyped checksum would silently not be checked."""
    schema = [{"name": name, "type": kind, "nullable": True} for name, kind in COLUMNS]
    assert parse(valid(schema=schema, catalog={"x": [1]})).row_count == 3
    files = [file("a", 3, 30, sha265=SHA256)]
    assert places_of(valid(files=files)) == [('files[0]."sha265"', "unknown_key")]


def test_a_snapshot_may_be_empty() -> None:
    """No file at all is fine when the totals say 0."""
    assert parse(valid(files=[], row_count=0, size_bytes=0)).files == ()
    assert places_of(valid(files=[])) == [
        ("row_count", "row_count_sum"),
        ("size_bytes", "size_bytes_sum"),
    ]


@pytest.mark.parametrize("key", sorted(valid()))
def test_every_field_is_required(key: str) -> None:
    """A manifest without one of its fields is refused, and null is no value."""
    document = valid()
    del document[key]
    assert (key, "missing_key") in places_of(document)
    assert (key, "wrong_type") in places_of(valid(**{key: None}))


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("dataset_id", "Usage", "bad_identifier"),
        ("dataset_id", "u" * 64, "bad_identifier"),
        ("snapshot_id", "", "bad_snapshot_id"),
        ("snapshot_id", "a b", "bad_snapshot_id"),
        ("snapshot_id", "a/b", "bad_snapshot_id"),
        ("snapshot_id", "é", "bad_snapshot_id"),
        ("snapshot_id", "a\n", "bad_snapshot_id"),
        ("snapshot_id", "a" * 201, "bad_snapshot_id"),
        ("created_at", "2026-06-01T00:00:00", "bad_timestamp"),
        ("created_at", "2026-06-01", "bad_timestamp"),
        ("created_at", "2026-02-30T00:00:00Z", "bad_timestamp"),
        ("watermark", "yesterday", "bad_timestamp"),
        ("watermark", 1_780_272_000, "wrong_type"),
        ("row_count", True, "wrong_type"),
        ("row_count", 3.0, "wrong_type"),
        ("row_count", "3", "wrong_type"),
        ("row_count", -1, "out_of_range"),
        ("size_bytes", 2**53, "out_of_range"),
        ("producer", "", "text_invalid"),
        ("producer", "a\x00b", "text_invalid"),
        ("upstream_run_id", "a" * 257, "text_invalid"),
        ("schema_version", -1, "out_of_range"),
        ("schema_version", 1.5, "wrong_type"),
        ("data_quality_status", "PASSED", "not_a_choice"),
        ("compatibility_policy", "any", "not_a_choice"),
        ("partition_columns", "day", "wrong_type"),
        ("schema", [], "column_count"),
        ("schema", {"account_id": "VARCHAR"}, "wrong_type"),
        ("files", {}, "wrong_type"),
    ],
)
def test_a_bad_value_is_refused_at_its_field(key: str, value: object, code: str) -> None:
    """Each field has its type and its rule."""
    assert (key, code) in places_of(valid(**{key: value}))


def test_finer_digits_than_microseconds_are_dropped() -> None:
    """Nanoseconds, as some languages write them, are no reason to refuse a manifest."""
    found = parse(valid(created_at="2026-06-01T00:00:00.000001999Z"))
    assert found.created_at == 1_780_272_000_000_001


def test_columns_are_checked_one_by_one() -> None:
    """Duplicates, unsupported types and unusable names are refused where they stand."""
    schema: list[Any] = [
        {"name": "a", "type": "VARCHAR"},
        {"name": "a", "type": "DATE"},
        {"name": "b", "type": "BLOB"},
        {"name": "c" * 256, "type": "DATE"},
        {"name": "d\n", "type": "DECIMAL"},
        {"name": "Any sane Name é"},
        "e",
    ]
    assert places_of(valid(schema=schema, partition_columns=[], sort_columns=[])) == [
        ("schema[1].name", "duplicate_column"),
        ("schema[2].type", "bad_column_type"),
        ("schema[3].name", "text_too_long"),
        ("schema[4].name", "text_invalid"),
        ("schema[4].type", "bad_column_type"),
        ("schema[5].type", "missing_key"),
        ("schema[6]", "wrong_type"),
    ]


def test_listed_columns_must_exist_once() -> None:
    """`partition_columns` and `sort_columns` name columns of the schema."""
    changed = valid(partition_columns=["day", "day", 5], sort_columns=["region"])
    assert places_of(changed) == [
        ("partition_columns[1]", "duplicate_item"),
        ("partition_columns[2]", "wrong_type"),
        ("sort_columns[0]", "unknown_column"),
    ]


def test_totals_must_add_up() -> None:
    """The totals are the sums over the files."""
    assert problems_of(json.dumps(valid(row_count=4)).encode()) == (
        Problem(
            "manifest.json",
            "row_count",
            "row_count_sum",
            "it says 4, the files add up to 3",
            "make it the sum of `row_count` over `files`",
        ),
    )


def test_failed_quality_has_its_own_code() -> None:
    """A producer's failed checks refuse a snapshot, with their own code when nothing else is."""
    with pytest.raises(ManifestInvalid) as caught:
        parse(valid(data_quality_status="failed"))
    assert caught.value.code == "quality_failed"
    with pytest.raises(ManifestInvalid) as caught:
        parse(valid(data_quality_status="failed", row_count=9))
    assert caught.value.code == "manifest_invalid"
    assert [problem.code for problem in caught.value.problems] == [
        "quality_failed",
        "row_count_sum",
    ]


def test_at_most_a_hundred_problems_are_listed() -> None:
    """A manifest with thousands of broken entries does not flood the log."""
    found = problems_of(json.dumps(valid(files=[5] * 500)).encode())
    assert len(found) == 101
    assert (found[0].code, found[0].message) == (
        "more_problems",
        "400 more problems are not shown",
    )


def test_too_many_files_are_refused() -> None:
    """A manifest lists at most 100,000 files."""
    assert places_of(valid(files=[0] * 100_001)) == [("files", "too_many_files")]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_json"),
        (b"[1]", "wrong_type"),
        (b'{"a":1,"a":2}', "not_json"),
        (b'{"a":NaN}', "not_json"),
        (b"\xff", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "manifest_too_large"),
    ],
)
def test_what_is_no_json_object_is_refused_whole(raw: bytes, code: str) -> None:
    """One problem for the whole file, whatever its bytes."""
    assert [(problem.path, problem.code) for problem in problems_of(raw)] == [("", code)]


def test_a_written_manifest_is_read_back() -> None:
    """What `manifest_document` writes is a valid manifest with its totals summed up."""
    columns = tuple(Column(name, parse_type(kind)) for name, kind in COLUMNS)
    files = (
        ManifestFile("a.parquet", "parquet", 2, 20, ("md5", "0" * 32)),
        ManifestFile("b.csv", "csv", 1, 10),
    )
    document = manifest_document(
        dataset_id="usage",
        snapshot_id="s1",
        created_at="2026-06-01T00:00:00Z",
        watermark="2026-06-01T00:00:00Z",
        columns=columns,
        files=files,
        producer="export",
        upstream_run_id="7",
    )
    found = parse(document)
    assert (found.columns, found.files) == (columns, files)
    assert (found.row_count, found.size_bytes) == (3, 30)
