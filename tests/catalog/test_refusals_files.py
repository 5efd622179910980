"""What a project, a dataset and a keys file are refused for: one line a rule."""

from __future__ import annotations

import time

import pytest

from tests.catalog.project_documents import (
    DELETE,
    FLIGHTS,
    HASH_1,
    KEYS,
    PROJECT,
    ROWS,
    USAGE,
    Refusal,
    found_in,
    one,
    valid_documents,
    with_change,
)

PROJECT_REFUSALS: list[Refusal] = [
    one(PROJECT, ("version",), DELETE, "version", "missing_key"),
    one(PROJECT, ("version",), 2, "version", "version_unsupported"),
    one(PROJECT, ("version",), "1", "version", "version_unsupported"),
    one(PROJECT, ("version",), True, "version", "version_unsupported"),
    one(PROJECT, ("versoin",), 1, "versoin", "unknown_key"),
    one(PROJECT, ("a key", ), 1, '"a key"', "unknown_key"),
    one(PROJECT, ("auth",), "sometimes", "auth", "not_a_choice"),
    one(PROJECT, ("auth",), ["none"], "auth", "not_a_choice"),
    one(PROJECT, ("object_store_mode",), 3, "object_store_mode", "wrong_type"),
    one(PROJECT, ("object_store_mode",), "x" * 257, "object_store_mode", "text_too_long"),
    one(PROJECT, ("datasets_dir",), "/etc", "datasets_dir", "path_absolute"),
    one(PROJECT, ("datasets_dir",), "C:\\files", "datasets_dir", "path_absolute"),
    one(PROJECT, ("endpoints_dir",), "../other", "endpoints_dir", "path_leaves_project"),
    one(PROJECT, ("endpoints_dir",), "a\nb", "endpoints_dir", "text_invalid"),
    one(PROJECT, ("keys",), "keys/../../keys.yml", "keys", "path_leaves_project"),
    one(PROJECT, ("keys",), None, "keys", "wrong_type"),
    one(PROJECT, ("keys",), DELETE, "keys", "keys_missing"),
    one(PROJECT, (), [], "", "not_a_mapping"),
    (PROJECT, ("auth",), "none", [
        (PROJECT, "auth", "auth_none_with_tenant"), (PROJECT, "keys", "keys_unused"),
    ]),
]  # fmt: skip

DATASET_REFUSALS: list[Refusal] = [
    one(FLIGHTS, ("id",), DELETE, "id", "missing_key"),
    one(FLIGHTS, ("id",), "Flights", "id", "bad_identifier"),
    one(FLIGHTS, ("id",), "f" * 64, "id", "bad_identifier"),
    one(FLIGHTS, ("id",), "flights\n", "id", "bad_identifier"),
    one(FLIGHTS, ("id",), 7, "id", "wrong_type"),
    (FLIGHTS, ("id",), "usage", [(USAGE, "id", "duplicate_id")]),
    one(FLIGHTS, ("schema",), DELETE, "schema", "missing_key"),
    one(FLIGHTS, ("schema",), [], "schema", "list_empty"),
    one(FLIGHTS, ("schema",), {}, "schema", "wrong_type"),
    one(FLIGHTS, ("schema",), [{}] * 1001, "schema", "list_too_long"),
    one(FLIGHTS, ("schema", 0), "day", "schema[0]", "not_a_mapping"),
    one(FLIGHTS, ("schema", 1, "name"), "tenant_id", "schema[1].name", "duplicate_column"),
    one(FLIGHTS, ("schema", 1, "name"), "select;", "schema[1].name", "bad_identifier"),
    one(FLIGHTS, ("schema", 1, "type"), "TEXT", "schema[1].type", "bad_column_type"),
    one(FLIGHTS, ("schema", 1, "type"), "DECIMAL(39,0)", "schema[1].type", "bad_column_type"),
    one(FLIGHTS, ("schema", 1, "type"), DELETE, "schema[1].type", "missing_key"),
    one(FLIGHTS, ("schema", 1, "nullable"), True, "schema[1].nullable", "unknown_key"),
    one(USAGE, ("tenant_column",), "owner", "tenant_column", "unknown_column"),
    one(USAGE, ("tenant_column",), "day", "tenant_column", "tenant_type"),
    one(USAGE, ("tenant_column",), None, "tenant_column", "wrong_type"),
    one(USAGE, ("tenant_column",), "", "tenant_column", "bad_identifier"),
    one(USAGE, ("manifest",), DELETE, "manifest", "origin_missing"),
    one(USAGE, ("manifest",), "", "manifest", "text_empty"),
    one(USAGE, ("manifest",), "/data/manifest.json", "manifest", "path_absolute"),
    one(USAGE, ("manifest",), "../manifest.json", "manifest", "path_leaves_project"),
    one(USAGE, ("manifest",), "ftp://host/manifest.json", "manifest", "url_scheme"),
    one(USAGE, ("manifest",), "http://host/manifest.json", "manifest", "url_scheme"),
    one(USAGE, ("manifest",), "file:///etc/passwd", "manifest", "url_scheme"),
    one(USAGE, ("manifest",), "https://me:pw@host/m.json", "manifest", "url_credentials"),
    one(USAGE, ("manifest",), "s3://bucket", "manifest", "url_invalid"),
    one(USAGE, ("manifest",), "gs:///manifest.json", "manifest", "url_invalid"),
    one(USAGE, ("manifest",), "https://host:99999/m.json", "manifest", "url_invalid"),
    one(FLIGHTS, ("manifest",), "m.json", "source", "origin_twice"),
    one(FLIGHTS, ("refresh",), {"interval_seconds": 5}, "refresh", "refresh_with_source"),
    one(FLIGHTS, ("source", "type"), "delta", "source.type", "not_a_choice"),
    one(FLIGHTS, ("source", "bucket"), "my bucket", "source.bucket", "bad_bucket"),
    one(FLIGHTS, ("source", "prefix"), "a/../b", "source.prefix", "path_leaves_project"),
    one(FLIGHTS, ("source", "prefix"), DELETE, "source.prefix", "missing_key"),
    one(FLIGHTS, ("source", "interval_seconds"), DELETE, "source.interval_seconds", "missing_key"),
    one(USAGE, ("refresh",), {}, "refresh.interval_seconds", "missing_key"),
    one(USAGE, ("refresh", "interval_seconds"), 0, "refresh.interval_seconds", "out_of_range"),
    one(USAGE, ("refresh", "interval_seconds"), "5", "refresh.interval_seconds", "wrong_type"),
    one(USAGE, ("refresh", "interval_seconds"), True, "refresh.interval_seconds", "wrong_type"),
    one(
        USAGE, ("refresh", "interval_seconds"), float("nan"),
        "refresh.interval_seconds", "out_of_range",
    ),
    one(USAGE, ("required",), "yes", "required", "wrong_type"),
    one(USAGE, ("required",), 1, "required", "wrong_type"),
    one(USAGE, ("guards",), 5, "guards", "not_a_mapping"),
    one(USAGE, ("guards", "min_rows"), -1, "guards.min_rows", "out_of_range"),
    one(USAGE, ("guards", "min_rows"), 10**100, "guards.min_rows", "out_of_range"),
    one(USAGE, ("guards", "min_rows"), 1.0, "guards.min_rows", "wrong_type"),
    one(
        USAGE, ("guards", "max_row_drop_percent"), 101,
        "guards.max_row_drop_percent", "out_of_range",
    ),
    one(USAGE, ("guards", "unique"), [], "guards.unique", "list_empty"),
    one(USAGE, ("guards", "unique", 1), "account", "guards.unique[1]", "duplicate_item"),
    one(USAGE, ("guards", "unique", 1), "extra", "guards.unique[1]", "json_not_comparable"),
    one(USAGE, ("guards", "not_null", 0), "owner", "guards.not_null[0]", "unknown_column"),
    one(USAGE, ("pin",), "a b", "pin", "bad_snapshot_id"),
    one(USAGE, ("pin",), "x" * 201, "pin", "bad_snapshot_id"),
    one(USAGE, ("description",), "\0", "description", "text_invalid"),
    one(USAGE, ("description",), "\ud800", "description", "text_invalid"),
    one(USAGE, ("description",), "x" * 4097, "description", "text_too_long"),
]  # fmt: skip

KEY_REFUSALS: list[Refusal] = [
    one(KEYS, (), None, "", "not_a_mapping"),
    one(KEYS, ("keys",), DELETE, "keys", "missing_key"),
    one(KEYS, ("keys", 0, "id"), "ops", "keys[1].id", "duplicate_id"),
    one(KEYS, ("keys", 0, "id"), DELETE, "keys[0].id", "missing_key"),
    one(KEYS, ("keys", 1, "hash"), HASH_1, "keys[1].hash", "duplicate_hash"),
    one(KEYS, ("keys", 1, "hash"), "A" * 64, "keys[1].hash", "bad_hash"),
    one(KEYS, ("keys", 1, "hash"), "a" * 63, "keys[1].hash", "bad_hash"),
    one(KEYS, ("keys", 1, "token"), "secret", "keys[1].token", "unknown_key"),
    (KEYS, ("keys", 0, "tenant"), None, [
        (KEYS, "keys[0].endpoints[0]", "grant_without_tenant"),
        (KEYS, "keys[0].endpoints[1]", "grant_without_tenant"),
    ]),
    one(KEYS, ("keys", 0, "tenant"), 7, "keys[0].tenant", "wrong_type"),
    one(KEYS, ("keys", 0, "tenant"), "", "keys[0].tenant", "text_empty"),
    one(KEYS, ("keys", 0, "tenant"), "t" * 257, "keys[0].tenant", "text_too_long"),
    one(KEYS, ("keys", 0, "endpoints", 1), "roads", "keys[0].endpoints[1]", "unknown_endpoint"),
    one(KEYS, ("keys", 0, "endpoints", 1), "summary", "keys[0].endpoints[1]", "duplicate_item"),
    one(KEYS, ("keys", 0, "endpoints"), DELETE, "keys[0].endpoints", "missing_key"),
    one(KEYS, ("keys", 0, "status"), "paused", "keys[0].status", "not_a_choice"),
    one(KEYS, ("keys", 0, "expires_at"), "2030-01-01", "keys[0].expires_at", "bad_timestamp"),
    one(KEYS, ("keys", 0, "expires_at"), "soon", "keys[0].expires_at", "bad_timestamp"),
]  # fmt: skip


@pytest.mark.parametrize("refusal", [*PROJECT_REFUSALS, *DATASET_REFUSALS, *KEY_REFUSALS])
def test_one_defect_is_one_problem_at_its_place(refusal: Refusal) -> None:
    """Each defect is reported with its file, path and code, and causes no further report."""
    file, place, value, expected = refusal
    assert found_in(with_change(valid_documents(), file, place, value)) == expected


def test_a_valid_project_has_no_problem() -> None:
    """The project that the table changes is valid."""
    assert found_in(valid_documents()) == []


def test_all_problems_of_all_files_come_at_once() -> None:
    """Four defects in four files are four problems, sorted by place."""
    documents = valid_documents()
    with_change(documents, PROJECT, ("auth",), "maybe")
    with_change(documents, USAGE, ("pin",), "a b")
    with_change(documents, ROWS, ("version",), 0)
    with_change(documents, KEYS, ("keys", 1, "hash"), "x")
    assert found_in(documents) == [
        (USAGE, "pin", "bad_snapshot_id"),
        (ROWS, "version", "out_of_range"),
        (KEYS, "keys[1].hash", "bad_hash"),
        (PROJECT, "auth", "not_a_choice"),
    ]


def test_an_integer_tenant_needs_integer_keys() -> None:
    """A key's tenant must be a value that the endpoint's tenant column can hold."""
    documents = valid_documents()
    with_change(documents, USAGE, ("schema", 0, "type"), "BIGINT")
    assert found_in(documents) == [
        (KEYS, f"keys[0].endpoints[{index}]", "grant_tenant_type") for index in (0, 1)
    ]
    assert found_in(with_change(documents, KEYS, ("keys", 0, "tenant"), "42")) == []
    assert len(found_in(with_change(documents, KEYS, ("keys", 0, "tenant"), "042"))) == 2


def test_a_project_without_datasets_is_refused() -> None:
    """There is nothing to serve without a dataset."""
    documents = {**valid_documents(), "datasets": {}, "endpoints": {}}
    with_change(documents, KEYS, ("keys",), [])
    assert found_in(documents) == [(PROJECT, "datasets_dir", "no_datasets")]


def test_a_number_too_long_to_print_is_refused() -> None:
    """No number of a document can break the message about it."""
    documents = with_change(valid_documents(), USAGE, ("guards", "min_rows"), 10**5000)
    assert found_in(documents) == [(USAGE, "guards.min_rows", "out_of_range")]


def test_many_dangling_grants_are_reported_quickly() -> None:
    """Grants that all lead nowhere cost no more than the problems that are shown."""
    documents = valid_documents()
    for number in range(20_000):
        key = {"id": f"k{number}", "hash": f"{number:064x}", "endpoints": [f"gone_{number}"]}
        documents["keys"]["keys"].append(key)
    del documents["keys"]["keys"][:4]
    started = time.thread_time()
    assert len(found_in(documents)) == 1001
    assert time.thread_time() - started < 5


def test_problems_are_bounded() -> None:
    """A file of defects makes at most 1000 problems and a note of how many more there are."""
    documents = valid_documents()
    documents["project"] |= {f"unknown_{number}": 1 for number in range(1500)}
    found = found_in(documents)
    assert len(found) == 1001
    assert found.count((PROJECT, "", "more_problems")) == 1
