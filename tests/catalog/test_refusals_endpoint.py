"""What an endpoint is refused for: one line a rule."""

from __future__ import annotations

import pytest

from tests.catalog.project_documents import (
    DELETE,
    ROWS,
    SUMMARY,
    USAGE,
    Refusal,
    found_in,
    one,
    public_documents,
    valid_documents,
    with_change,
)

_SELECT, _FILTERS = ("query", "select"), ("query", "filters")
_TAKEN = {"name": "begins", "type": "string"}

TOP_REFUSALS: list[Refusal] = [
    one(SUMMARY, ("Name",), "x", "Name", "unknown_key"),
    one(SUMMARY, ("version",), 0, "version", "out_of_range"),
    one(SUMMARY, ("version",), DELETE, "version", "missing_key"),
    one(ROWS, ("dataset",), "usages", "dataset", "unknown_dataset"),
    one(ROWS, ("dataset",), DELETE, "dataset", "missing_key"),
    one(ROWS, ("serving_mode",), "magic", "serving_mode", "not_a_choice"),
    one(ROWS, ("owner",), "x" * 257, "owner", "text_too_long"),
    one(ROWS, ("tenant",), DELETE, "tenant", "tenant_missing"),
    one(ROWS, ("tenant", "column"), "account", "tenant.column", "tenant_mismatch"),
    one(ROWS, ("tenant",), {}, "tenant.column", "missing_key"),
    one(ROWS, ("dataset",), "flights", "tenant", "tenant_unexpected"),
    one(ROWS, (*_FILTERS, 2, "column"), "tenant_id", "query.filters[2].column", "filter_on_tenant"),
    one(ROWS, ("freshness",), {}, "freshness.max_staleness_minutes", "missing_key"),
    one(
        SUMMARY, ("freshness", "max_staleness_minutes"), 0,
        "freshness.max_staleness_minutes", "out_of_range",
    ),
    one(ROWS, ("columns",), ["calls", "day"], "columns[1]", "unknown_alias"),
    one(ROWS, ("columns",), ["calls", "calls"], "columns[1]", "duplicate_item"),
    one(ROWS, ("columns",), [], "columns", "list_empty"),
    one(ROWS, ("pagination",), {"max_limit": 10_001}, "pagination.max_limit", "out_of_range"),
    one(ROWS, ("pagination",), {"default_limit": 0}, "pagination.default_limit", "out_of_range"),
    one(
        ROWS, ("pagination",), {"default_limit": 101},
        "pagination.default_limit", "default_limit_above_max",
    ),
    one(ROWS, ("cache",), {"policy": "forever"}, "cache.policy", "not_a_choice"),
    one(ROWS, ("cache",), {}, "cache.policy", "missing_key"),
    one(SUMMARY, ("combinations",), [], "combinations", "list_empty"),
    one(SUMMARY, ("combinations", 0), "account", "combinations[0]", "wrong_type"),
    one(SUMMARY, ("combinations", 0), ["plan", "account"], "combinations[2]", "duplicate_item"),
    one(SUMMARY, ("combinations", 2, 1), "account", "combinations[2][1]", "duplicate_item"),
    one(SUMMARY, ("combinations", 2, 1), "plans", "combinations[2][1]", "unknown_param"),
    one(SUMMARY, ("combinations", 2, 1), "limit", "combinations[2][1]", "unknown_param"),
    one(SUMMARY, ("combinations", 0), [], "combinations[0]", "combination_without_required"),
    (SUMMARY, ("combinations", 1), DELETE, [
        (SUMMARY, "params[2]", "param_never_allowed"),
        (SUMMARY, "params[4]", "param_never_allowed"),
    ]),
]  # fmt: skip

PARAM_REFUSALS: list[Refusal] = [
    one(ROWS, ("params",), {}, "params", "wrong_type"),
    one(ROWS, ("params", 2, "name"), DELETE, "params[2].name", "missing_key"),
    one(ROWS, ("params", 3), _TAKEN, "params[3].name", "duplicate_param"),
    one(ROWS, ("params", 3), {"name": "x", "type": "string"}, "params[3]", "param_unused"),
    one(ROWS, ("params", 0, "type"), "bool", "params[0].type", "not_a_choice"),
    one(ROWS, ("params", 0, "type"), DELETE, "params[0].type", "missing_key"),
    one(ROWS, ("params", 0, "required"), "no", "params[0].required", "wrong_type"),
    one(ROWS, ("params", 0, "enum"), ["true"], "params[0].enum", "enum_not_allowed"),
    one(SUMMARY, ("params", 1, "enum"), [], "params[1].enum", "list_empty"),
    one(SUMMARY, ("params", 1, "enum", 0), False, "params[1].enum[0]", "wrong_type"),
    one(SUMMARY, ("params", 1, "enum", 0), "pro", "params[1].enum[1]", "duplicate_item"),
    one(SUMMARY, ("params", 1, "default"), "paid", "params[1].default", "bad_default"),
    one(SUMMARY, ("params", 1, "aliases"), [], "params[1].aliases", "not_a_mapping"),
    one(SUMMARY, ("params", 1, "aliases", "paid"), 1, "params[1].aliases.paid", "wrong_type"),
    one(SUMMARY, ("params", 1, "aliases", "paid"), "gold", "params[1].aliases.paid", "bad_alias"),
    one(
        SUMMARY, ("params", 1, "aliases", "free"), "pro",
        "params[1].aliases.free", "alias_hides_value",
    ),
    one(ROWS, ("params", 2, "min"), "a", "params[2].min", "bounds_not_allowed"),
    one(SUMMARY, ("params", 2, "min"), "2031-01-01", "params[2].min", "min_above_max"),
    one(SUMMARY, ("params", 2, "min"), "2020-02-30", "params[2].min", "bad_bound"),
    one(SUMMARY, ("params", 2, "max"), 20301231, "params[2].max", "bad_bound"),
    one(SUMMARY, ("params", 3, "max"), 1.5, "params[3].max", "bad_bound"),
    one(SUMMARY, ("params", 3, "max"), 2**63, "params[3].max", "bad_bound"),
    one(SUMMARY, ("params", 3, "default"), 1001, "params[3].default", "bad_default"),
    one(SUMMARY, ("params", 3, "default"), "5", "params[3].default", "bad_default"),
    one(SUMMARY, ("params", 3, "default"), True, "params[3].default", "bad_default"),
    one(SUMMARY, ("params", 4, "default"), float("inf"), "params[4].default", "bad_default"),
    one(ROWS, ("params", 1, "min"), "2020-01-01T00:00:00", "params[1].min", "bad_bound"),
    one(ROWS, ("params", 2, "max_length"), 0, "params[2].max_length", "out_of_range"),
    one(ROWS, ("params", 0, "max_length"), 5, "params[0].max_length", "max_length_not_allowed"),
    one(ROWS, ("params", 2, "default"), "x" * 257, "params[2].default", "bad_default"),
    one(SUMMARY, ("params", 0, "default"), "a", "params[0].default", "default_on_required"),
]  # fmt: skip

QUERY_REFUSALS: list[Refusal] = [
    one(ROWS, ("query",), DELETE, "query", "missing_key"),
    one(ROWS, _SELECT, [], "query.select", "list_empty"),
    one(ROWS, (*_SELECT, 1, "as"), "account", "query.select[1].as", "duplicate_alias"),
    one(ROWS, (*_SELECT, 1, "as"), "Calls!", "query.select[1].as", "bad_identifier"),
    one(ROWS, (*_SELECT, 1, "column"), "call", "query.select[1].column", "unknown_column"),
    one(ROWS, (*_SELECT, 1, "expr"), "1+1", "query.select[1].expr", "unknown_key"),
    one(SUMMARY, (*_SELECT, 1, "agg"), "median", "query.select[1].agg", "not_a_choice"),
    one(SUMMARY, (*_SELECT, 1, "column"), "day", "query.select[1].agg", "agg_not_defined"),
    one(SUMMARY, (*_SELECT, 2, "agg"), "count_distinct", "query.select[2].agg", "agg_not_defined"),
    one(SUMMARY, (*_SELECT, 2, "agg"), "min", "query.select[2].agg", "agg_not_defined"),
    one(
        SUMMARY, (*_SELECT, 3), {"as": "day", "column": "day"},
        "query.select[3]", "select_not_grouped",
    ),
    one(SUMMARY, ("query", "group_by"), DELETE, "query.select[0]", "select_not_grouped"),
    one(SUMMARY, ("query", "group_by", 1), "day", "query.group_by[1]", "unknown_alias"),
    one(SUMMARY, ("query", "group_by", 1), "total", "query.group_by[1]", "group_by_aggregate"),
    one(SUMMARY, ("query", "group_by", 1), "account", "query.group_by[1]", "duplicate_item"),
    one(
        ROWS, ("query", "group_by"), ["account", "calls", "extra"],
        "query.group_by[2]", "json_not_comparable",
    ),
    one(
        ROWS, ("query", "order_by"), [{"column": "extra"}],
        "query.order_by[0].column", "json_not_comparable",
    ),
    one(
        SUMMARY, ("query", "order_by", 0, "column"), "calls",
        "query.order_by[0].column", "unknown_alias",
    ),
    one(
        SUMMARY, ("query", "order_by", 0, "column"), "account",
        "query.order_by[1].column", "duplicate_item",
    ),
    one(SUMMARY, ("query", "order_by", 0, "dir"), "down", "query.order_by[0].dir", "not_a_choice"),
    one(ROWS, (*_FILTERS, 0, "column"), "paid", "query.filters[0].column", "unknown_column"),
    one(ROWS, (*_FILTERS, 0, "column"), "extra", "query.filters[0].column", "json_not_comparable"),
    one(ROWS, (*_FILTERS, 0, "op"), "like", "query.filters[0].op", "not_a_choice"),
    one(ROWS, (*_FILTERS, 0, "op"), "gt", "query.filters[0].op", "op_not_defined"),
    one(ROWS, (*_FILTERS, 0, "op"), "in", "query.filters[0].op", "op_not_defined"),
    one(ROWS, (*_FILTERS, 1, "op"), "prefix", "query.filters[1].op", "op_not_defined"),
    one(ROWS, (*_FILTERS, 1, "column"), "account", "query.filters[1].param", "param_type_mismatch"),
    one(ROWS, (*_FILTERS, 0, "column"), "calls", "query.filters[0].param", "param_type_mismatch"),
    one(
        ROWS, (*_FILTERS, 3), {"column": "account", "op": "eq", "param": "start"},
        "query.filters[3].param", "unknown_param",
    ),
    one(
        ROWS, (*_FILTERS, 3), {"column": "account", "op": "prefix", "param": "begins"},
        "query.filters[3]", "duplicate_filter",
    ),
    one(
        ROWS, (*_FILTERS, 3), {"column": "account", "op": "in", "param": "begins"},
        "query.filters[3].param", "param_list_and_value",
    ),
]  # fmt: skip


@pytest.mark.parametrize("refusal", [*TOP_REFUSALS, *PARAM_REFUSALS, *QUERY_REFUSALS])
def test_one_defect_is_one_problem_at_its_place(refusal: Refusal) -> None:
    """Each defect is reported with its file, path and code, and causes no further report."""
    file, place, value, expected = refusal
    assert found_in(with_change(valid_documents(), file, place, value)) == expected


@pytest.mark.parametrize("name", ["limit", "offset", "columns", "cursor"])
def test_reserved_names_are_refused(name: str) -> None:
    """A param cannot take a name that has a meaning on every endpoint."""
    documents = valid_documents()
    with_change(documents, ROWS, ("params", 2, "name"), name)
    with_change(documents, ROWS, (*_FILTERS, 2, "param"), name)
    assert found_in(documents) == [(ROWS, "params[2].name", "reserved_param")]


def test_two_endpoints_cannot_share_a_name() -> None:
    """The second file with a name is the one at fault; files are taken in sorted order."""
    documents = valid_documents()
    with_change(documents, SUMMARY, ("name",), "rows")
    assert (SUMMARY, "name", "duplicate_id") in found_in(documents)


def test_a_default_of_a_list_is_one_value() -> None:
    """A default with a comma would not mean what it looks like."""
    documents = valid_documents()
    with_change(documents, ROWS, (*_FILTERS, 2, "op"), "in")
    with_change(documents, ROWS, ("params", 2, "default"), "a,b")
    assert found_in(documents) == [(ROWS, "params[2].default", "bad_default")]


def test_a_broken_column_type_hides_no_other_problem() -> None:
    """Endpoints are checked even while their dataset has a problem of its own."""
    documents = valid_documents()
    with_change(documents, USAGE, ("schema", 4, "type"), "LONG")
    with_change(documents, ROWS, (*_SELECT, 0, "column"), "nowhere")
    assert found_in(documents) == [
        (USAGE, "schema[4].type", "bad_column_type"),
        (ROWS, "query.select[0].column", "unknown_column"),
    ]


def test_a_public_project_is_valid_without_tenants() -> None:
    """auth: none is fine where no endpoint is tenant-scoped."""
    assert found_in(public_documents()) == []
