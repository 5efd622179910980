"""JSON Schemas of params and rows accept what the service serves and takes, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from offloader.catalog.model import Catalog
from offloader.service.apidocs.schemas import endpoint_schema
from tests.apidocs.documented import SHOWN, Documented

NAMES = ("picked", "rows", "totals", "whole")
TARGETS = (
    "/v1/endpoints/rows?limit=6",
    "/v1/endpoints/rows?columns=day,extra",
    "/v1/endpoints/rows?account=nothing",
    "/v1/endpoints/picked?account=a1",
    "/v1/endpoints/totals",
    "/v1/endpoints/whole",
    "/v1/endpoints/whole?account=nothing",
)
# An endpoint, params, and whether they are right.
CALLS: list[tuple[str, dict[str, Any], bool]] = [
    ("rows", {}, True),
    ("rows", {"account": "a" * 20}, True),
    ("rows", {"account": "a" * 21}, False),
    ("rows", {"accounts": "a0,a1"}, True),
    ("rows", {"accounts": "a0,,a1"}, False),
    ("rows", {"accounts": "a0,"}, False),
    ("rows", {"accounts": ",".join(["a"] * 101)}, False),
    ("rows", {"plan": "first"}, True),
    ("rows", {"plan": "a2"}, False),
    ("rows", {"seats": 100}, True),
    ("rows", {"seats": 101}, False),
    ("rows", {"seats": 1.5}, False),
    ("rows", {"least": "none"}, True),
    ("rows", {"least": "some"}, False),
    ("rows", {"least": 2**63}, False),
    ("rows", {"ratio": 0.5}, True),
    ("rows", {"ratio": -0.5}, False),
    ("rows", {"is_paid": True}, True),
    ("rows", {"is_paid": "maybe"}, False),
    ("rows", {"from_day": "2026-01-02"}, True),
    ("rows", {"from_day": "2026-02-30"}, False),
    ("rows", {"until": "2026-01-02T00:00:00Z"}, True),
    ("rows", {"until": "2026-01-02"}, False),
    ("rows", {"limit": 6}, True),
    ("rows", {"limit": 7}, False),
    ("rows", {"limit": 0}, False),
    ("rows", {"offset": 2**32 - 1}, True),
    ("rows", {"offset": 2**32}, False),
    ("rows", {"columns": "extra,day"}, True),
    ("rows", {"columns": "tenant_id"}, False),
    ("rows", {"columns": "day,"}, False),
    ("rows", {"cursor": "x"}, False),
    ("rows", {"nothing": 1}, False),
    ("picked", {"account": "a1"}, True),
    ("picked", {"account": "a1", "most": 1}, True),
    ("picked", {"account": "a1", "least": 1}, False),
    ("picked", {"account": "a1", "limit": 1}, True),
    ("picked", {"least": 1}, False),
    ("picked", {}, False),
    ("whole", {}, True),
]


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(documented: Documented, name: str) -> None:
    """They hold under the metaschema of their dialect."""
    Draft202012Validator.check_schema(_schema(documented, name))


def test_the_index_names_them(documented: Documented) -> None:
    """Each endpoint with its version and the place of its schema."""
    document = documented.service.ask_admin("/schema").document
    assert [one["schema"] for one in document["endpoints"]] == [f"/schema/{n}" for n in NAMES]
    assert {one["version"] for one in document["endpoints"]} == {2}


@pytest.mark.parametrize("target", TARGETS)
def test_real_answers_are_valid(documented: Documented, target: str) -> None:
    """Also with nulls in them, without rows, with chosen columns."""
    answer = json.loads(documented.ask(target).body)
    schema = _schema(documented, answer["meta"]["endpoint"])
    _check(schema, answer)


def test_a_whole_row_has_every_column(documented: Documented) -> None:
    """`row` is for requests without `columns`, `chosen_row` for those with it."""
    row = json.loads(documented.ask("/v1/endpoints/rows").body)["data"][0]
    assert tuple(row) == SHOWN
    part = {"day": row["day"]}
    schema = _schema(documented, "rows")
    assert (_is_valid(schema, "row", row), _is_valid(schema, "chosen_row", row)) == (True, True)
    assert (_is_valid(schema, "row", part), _is_valid(schema, "chosen_row", part)) == (False, True)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("account", None),
        ("account", 1),
        ("seats", 1.5),
        ("calls", None),
        ("calls", "1"),
        ("ratio", "0.5"),
        ("amount", "0.01"),
        ("is_paid", 1),
        ("day", "1 January"),
        ("seen_at", "2026-01-01"),
        ("more", 1),
    ],
)
def test_wrong_rows_are_not_valid(documented: Documented, column: str, wrong: object) -> None:
    """A wrong type, a null that cannot be, a column too many."""
    row = json.loads(documented.ask("/v1/endpoints/rows").body)["data"][0]
    assert not _is_valid(_schema(documented, "rows"), "row", {**row, column: wrong})


@pytest.mark.parametrize(
    ("column", "wrong"), [("calls_sum", 0.5), ("calls_sum", None), ("days", None), ("account", 1)]
)
def test_wrong_totals_are_not_valid(documented: Documented, column: str, wrong: object) -> None:
    """A sum of integers is one, however many digits it has; a count is never null."""
    row = json.loads(documented.ask("/v1/endpoints/totals").body)["data"][0]
    schema = _schema(documented, "totals")
    assert _is_valid(schema, "row", {**row, "calls_sum": 10**30})
    assert not _is_valid(schema, "row", {**row, column: wrong})


@pytest.mark.parametrize(("name", "params", "is_right"), CALLS)
def test_params_are_valid_when_the_service_takes_them(
    documented: Documented, name: str, params: dict[str, Any], is_right: bool
) -> None:
    """The schema and the service are of one opinion."""
    shown = {n: str(v).lower() if isinstance(v, bool) else v for n, v in params.items()}
    query = "&".join(f"{name}={value}" for name, value in shown.items())
    reply = documented.ask(f"/v1/endpoints/{name}?{query}")
    assert reply.status == (200 if is_right else 422)
    assert _is_valid(_schema(documented, name), "params", params) == is_right


def test_cursor_and_offset_exclude_each_other(documented: Documented) -> None:
    """A cursor that the service gave is right, alone."""
    cursor = documented.ask("/v1/endpoints/rows?limit=1").document["meta"]["next_cursor"]
    schema = _schema(documented, "rows")
    assert _is_valid(schema, "params", {"cursor": cursor})
    assert not _is_valid(schema, "params", {"cursor": cursor, "offset": 0})


def test_the_command_and_the_route_say_the_same(documented: Documented, catalog: Catalog) -> None:
    """Both are made by one function."""
    assert _schema(documented, "rows") == endpoint_schema(catalog, catalog.endpoints["rows"])


def _schema(documented: Documented, name: str) -> Any:
    return json.loads(documented.service.ask_admin(f"/schema/{name}").body)


def _check(schema: Any, value: object) -> None:
    Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    ).validate(value)  # fmt: skip


def _is_valid(schema: Any, name: str, value: object) -> bool:
    part = {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"}
    checker = Draft202012Validator.FORMAT_CHECKER
    return bool(Draft202012Validator(part, format_checker=checker).is_valid(value))
