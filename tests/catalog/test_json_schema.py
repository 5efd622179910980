"""The JSON Schemas and the strict parser say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from offloader.catalog import dataset, endpoint, endpoint_query, keys, param, project
from offloader.catalog.json_schema import SCHEMA_NAMES, schemas
from tests.catalog.project_documents import (
    FLIGHTS,
    KEYS,
    PROJECT,
    ROWS,
    SUMMARY,
    USAGE,
    Refusal,
    found_in,
    public_documents,
    valid_documents,
    with_change,
)
from tests.catalog.test_codes import TABLES

KIND_OF = {
    PROJECT: "project",
    USAGE: "dataset",
    FLIGHTS: "dataset",
    SUMMARY: "endpoint",
    ROWS: "endpoint",
    KEYS: "keys",
}
PARSED_FIELDS = {
    "project": project.PROJECT_FIELDS,
    "dataset": dataset.DATASET_FIELDS,
    "dataset.schema[]": dataset.COLUMN_FIELDS,
    "dataset.source": dataset.SOURCE_FIELDS,
    "dataset.refresh": dataset.REFRESH_FIELDS,
    "dataset.guards": dataset.GUARD_FIELDS,
    "endpoint": endpoint.ENDPOINT_FIELDS,
    "endpoint.tenant": endpoint.TENANT_FIELDS,
    "endpoint.freshness": endpoint.FRESHNESS_FIELDS,
    "endpoint.params[]": param.PARAM_FIELDS,
    "endpoint.query": endpoint_query.QUERY_FIELDS,
    "endpoint.query.select[]": endpoint_query.SELECT_FIELDS,
    "endpoint.query.filters[]": endpoint_query.FILTER_FIELDS,
    "endpoint.query.order_by[]": endpoint_query.ORDER_FIELDS,
    "endpoint.pagination": endpoint.PAGINATION_FIELDS,
    "endpoint.cache": endpoint.CACHE_FIELDS,
    "keys": keys.KEYS_FIELDS,
    "keys.keys[]": keys.KEY_FIELDS,
}
# Rules that one field shows by itself; the others need another field or file.
OWN_RULES = frozenset(
    {
        "bad_bucket",
        "bad_column_type",
        "bad_hash",
        "bad_identifier",
        "bad_snapshot_id",
        "list_empty",
        "list_too_long",
        "missing_key",
        "not_a_choice",
        "not_a_mapping",
        "origin_missing",
        "origin_twice",
        "out_of_range",
        "text_empty",
        "text_too_long",
        "unknown_key",
        "version_unsupported",
        "wrong_type",
    }
)


def document_of(documents: dict[str, Any], file: str) -> Any:
    """Return one file's document."""
    files = {**documents["datasets"], **documents["endpoints"]}
    return {**files, PROJECT: documents["project"], KEYS: documents["keys"]}[file]


def mappings(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and properties of every mapping with fixed fields."""
    if "properties" in schema:
        yield path, schema["properties"]
        for name, inner in schema["properties"].items():
            yield from mappings(inner, f"{path}.{name}")
    if "items" in schema:
        yield from mappings(schema["items"], f"{path}[]")


def written_fields(document: Any, path: str) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield schema path and place of every field of a document."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield f"{path}.{name}", (name,)
            for inner, place in written_fields(value, f"{path}.{name}"):
                yield inner, (name, *place)
    if isinstance(document, list):
        for index, value in enumerate(document):
            for inner, place in written_fields(value, f"{path}[]"):
                yield inner, (index, *place)


def all_fields() -> set[str]:
    """Return the path of every field that a schema declares."""
    found = (m for name, schema in schemas().items() for m in mappings(schema, name))
    return {f"{path}.{name}" for path, properties in found for name in properties}


def is_valid(kind: str, document: object) -> bool:
    """Tell whether the schema takes the document."""
    return bool(Draft202012Validator(schemas()[kind]).is_valid(document))


def test_schemas_are_schemas() -> None:
    """Each is valid JSON Schema 2020-12 and forbids unknown fields everywhere."""
    assert tuple(schemas()) == SCHEMA_NAMES
    for name, schema in schemas().items():
        Draft202012Validator.check_schema(schema)
        for path, properties in mappings(schema, name):
            assert all(inner.get("description") for inner in properties.values()), path


def test_schema_and_parser_know_the_same_fields() -> None:
    """No field is known to only one of them, at any depth."""
    declared = {
        path: set(properties)
        for name, schema in schemas().items()
        for path, properties in mappings(schema, name)
    }
    assert declared == {path: set(fields) for path, fields in PARSED_FIELDS.items()}


def test_the_parser_reads_every_field_it_knows() -> None:
    """Rubbish in any field of a project that uses all of them is reported at that field."""
    seen = set()
    for file, kind in KIND_OF.items():
        for field, place in written_fields(document_of(valid_documents(), file), kind):
            if field.startswith("endpoint.params[].aliases."):
                continue
            seen.add(field)
            documents = with_change(valid_documents(), file, place, [[1]])
            path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in place)[1:]
            found = found_in(documents)
            assert any(f == file and p.startswith(path) for f, p, _ in found), (file, place)
    assert seen == all_fields()


def test_valid_projects_fit_their_schemas() -> None:
    """What the parser takes, the schemas take."""
    for file, kind in KIND_OF.items():
        assert is_valid(kind, document_of(valid_documents(), file)), file
    assert is_valid("project", public_documents()["project"])


def shown_by_one_field(refusal: Refusal) -> bool:
    """Tell whether a schema can find the defect: NaN, 1.0 and a last line end are beyond it."""
    _, _, value, expected = refusal
    is_beyond = isinstance(value, float) or value == "flights\n"
    return not is_beyond and all(code in OWN_RULES for _, _, code in expected)


@pytest.mark.parametrize("refusal", [r for r in TABLES if shown_by_one_field(r)])
def test_schemas_refuse_what_one_field_shows(refusal: Refusal) -> None:
    """A defect that one field shows by itself is found by the schema too."""
    file, place, value, _ = refusal
    document = document_of(with_change(valid_documents(), file, place, value), file)
    assert not is_valid(KIND_OF[file], document)
