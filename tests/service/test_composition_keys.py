"""Composition and keys: who may call while a dataset waits for its build."""

from __future__ import annotations

from typing import Any

import pytest

from offloader.service.composition import contracts_of
from tests.service.composing import (
    BEFORE,
    KEYS,
    PRICES,
    RATES,
    ROWS,
    USAGE,
    composed,
    dataset,
    documents,
    endpoint,
    grants,
    key,
    wider,
)


def test_a_key_is_revoked_at_once() -> None:
    """However long a build takes: removed, revoked, expired or with fewer grants."""
    keys = [
        key("k1", "t1", "rows", status="revoked"),
        key("k2", None, "prices", expires_at="2026-01-01T00:00:00Z"),
    ]
    desired = documents([wider(USAGE), RATES], [ROWS, PRICES], keys)
    made = composed(desired, BEFORE, "usage")
    k1, k2 = made.catalog.keys
    assert (k1.is_active, k1.endpoints) == (False, frozenset({"rows"}))
    assert k2.expires_at == 1_767_225_600
    fewer = documents([wider(USAGE), RATES], [ROWS, PRICES], [key("k1", "t1", "prices")])
    assert grants(composed(fewer, BEFORE, "usage")) == {"k1": ["prices"]}


def test_a_new_key_counts_at_once_where_its_endpoint_is_what_it_was() -> None:
    """A customer who comes while a build runs need not wait for it."""
    keys = [*KEYS, key("k3", "t3", "rows")]
    desired = documents([wider(USAGE), RATES], [ROWS, PRICES], keys)
    made = composed(desired, BEFORE, "usage")
    assert grants(made)["k3"] == ["rows"]


@pytest.mark.parametrize("tenant", ["shop", None], ids=["another column", "no tenants"])
def test_new_grants_wait_where_the_tenant_rule_changes(tenant: str | None) -> None:
    """Made for the new rule, they would see under the old one what they never may."""
    rows = endpoint("rows", "usage", tenant)
    keys = [
        key("k1", "t1", "rows", "prices"),
        key("k3", "t3", "rows", "prices"),
        {**key("k2", "t2", "rows", "prices")},
    ]
    desired = documents([wider(dataset("usage", tenant)), RATES], [rows, PRICES], keys)
    made = composed(desired, BEFORE, "usage")
    assert grants(made) == {"k1": ["rows", "prices"], "k3": ["prices"], "k2": ["prices"]}


def test_a_key_that_changes_its_tenant_is_a_new_one_where_the_rule_changes() -> None:
    """`k1` was of `t1`: as `t9` it was never to see rows by the old column."""
    desired = documents(
        [dataset("usage", "shop"), RATES],
        [endpoint("rows", "usage", "shop"), PRICES],
        [key("k1", "t9", "rows", "prices")],
    )
    assert grants(composed(desired, BEFORE, "usage")) == {"k1": ["prices"]}


@pytest.mark.parametrize("is_after_start", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "is_granted"),
    [
        ({"status": "revoked"}, {}, False),
        ({"expires_at": "2026-01-01T00:00:00Z"}, {}, False),
        ({"expires_at": "2026-01-01T00:00:00Z"}, {"expires_at": "2026-01-01T00:00:01Z"}, False),
        ({"expires_at": "2026-01-01T00:00:00Z"}, {"expires_at": "2026-01-01T01:00:00+01:00"}, True),
        ({}, {"expires_at": "2026-01-01T00:00:00Z"}, True),
    ],
    ids=["revoked", "good for ever now", "good for longer", "as long", "for shorter"],
)
def test_a_key_that_comes_back_is_a_new_one_where_the_rule_changes(
    before: dict[str, str], after: dict[str, str], *, is_granted: bool, is_after_start: bool
) -> None:
    """What it could not see any more under the old rule it must not see again meanwhile."""
    served = documents([USAGE, RATES], [ROWS, PRICES], [key("k1", "t1", "rows", **before)])
    desired = documents(
        [dataset("usage", "shop"), RATES],
        [endpoint("rows", "usage", "shop"), PRICES],
        [key("k1", "t1", "rows", "prices", **after)],
    )
    made = composed(desired, contracts_of(served) if is_after_start else served, "usage")
    assert grants(made) == {"k1": ["rows", "prices"] if is_granted else ["prices"]}


def test_a_new_grant_waits_where_its_endpoint_moves() -> None:
    """Granted to see `fresh`, by tenant, it must not see all of `rates` meanwhile."""
    fresh = dataset("fresh", "acme")
    moved = {**PRICES, "dataset": "fresh", "tenant": {"column": "acme"}}
    keys = [key("k1", "t1", "prices"), key("partner", "t7", "prices")]
    desired = documents([USAGE, wider(RATES), fresh], [moved], keys)
    made = composed(desired, BEFORE, "rates")
    assert made.catalog.endpoints["prices"].dataset == "rates"
    assert grants(made) == {"k1": ["prices"], "partner": []}


def test_a_new_grant_waits_where_its_endpoint_shows_less_from_then_on() -> None:
    """Granted once a column was taken out, it must not see that column meanwhile."""
    both = {"select": [{"as": n, "column": n} for n in ("id", "shop")]}
    before = documents(
        [USAGE], [{**ROWS, "query": both, "columns": ["id", "shop"]}], [key("k1", "t1", "rows")]
    )
    keys = [key("k1", "t1", "rows"), key("partner", "t7", "rows")]
    desired = documents([wider(USAGE)], [ROWS], keys)
    made = composed(desired, before, "usage")
    assert made.catalog.endpoints["rows"].columns == ("id", "shop")
    assert grants(made) == {"k1": ["rows"], "partner": []}


BY_SHOP: dict[str, Any] = {"params": [{"name": "shop", "type": "string"}]}
OF_SHOP: dict[str, Any] = {"filters": [{"column": "shop", "op": "eq", "param": "shop"}]}
SELECT: dict[str, Any] = {"select": [{"as": "id", "column": "id"}]}
BOTH: dict[str, Any] = {"select": [*SELECT["select"], {"as": "shop", "column": "shop"}]}


@pytest.mark.parametrize(
    ("before", "after", "is_granted"),
    [
        ({}, {"description": "in other words", "owner": "x", "version": 3}, True),
        ({}, {"query": {**SELECT, "order_by": [{"column": "id", "dir": "asc"}]}}, True),
        ({}, {"query": BOTH, "columns": ["id", "shop"]}, True),
        ({}, {"query": {**SELECT, **OF_SHOP}, **BY_SHOP}, True),
        ({}, {"freshness": {"max_staleness_minutes": 1}, "columns": ["id"]}, True),
        ({"query": BOTH, "columns": ["id"]}, {"query": SELECT}, True),
        ({"query": BOTH, "columns": ["id", "shop"]}, {"query": BOTH, "columns": ["id"]}, False),
        ({"query": BOTH, "columns": None}, {"query": SELECT, "columns": None}, False),
        (
            {},
            {
                "query": {**SELECT, **OF_SHOP},
                "params": [{"name": "shop", "type": "string", "required": True}],
            },
            False,
        ),
        (
            {},
            {
                "query": {**SELECT, **OF_SHOP},
                "params": [{"name": "shop", "type": "string", "default": "s1"}],
            },
            False,
        ),
        (
            {"query": {**SELECT, **OF_SHOP}, **BY_SHOP},
            {
                "query": {**SELECT, **OF_SHOP},
                "params": [{"name": "shop", "type": "enum", "enum": ["s1"]}],
            },
            False,
        ),
        (
            {"query": {**SELECT, **OF_SHOP}, **BY_SHOP},
            {
                "query": {
                    **SELECT,
                    "filters": [*OF_SHOP["filters"], {"column": "id", "op": "ne", "param": "shop"}],
                },
                **BY_SHOP,
            },
            False,
        ),
        ({"query": {**SELECT, **OF_SHOP}, **BY_SHOP}, {}, False),
        (
            {},
            {"query": {"select": [{"as": "id", "column": "id", "agg": "count"}]}},
            False,
        ),
        ({}, {"query": {**SELECT, "group_by": ["id"]}}, False),
        (
            {"query": {**SELECT, **OF_SHOP}, **BY_SHOP},
            {"query": {**SELECT, **OF_SHOP}, **BY_SHOP, "combinations": [["shop"]]},
            False,
        ),
        ({}, {"serving_mode": "remote_scan"}, False),
    ],
)
def test_a_new_grant_counts_where_the_old_contract_shows_no_more(
    before: dict[str, Any], after: dict[str, Any], is_granted: bool
) -> None:
    """Less on show, fewer rows, or another thing altogether: then the grant waits for the flip."""
    old, new = without_nulls({**ROWS, **before}), without_nulls({**ROWS, **after})
    served = documents([USAGE], [old], [key("k1", "t1", "rows")])
    keys = [key("k1", "t1", "rows"), key("partner", "t7", "rows")]
    desired = documents([wider(USAGE)], [new], keys)
    made = composed(desired, served, "usage")
    assert grants(made) == {"k1": ["rows"], "partner": ["rows"] if is_granted else []}


def without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def test_a_grant_that_does_not_fit_the_old_contract_waits() -> None:
    """A key without a tenant cannot call what is still of tenants."""
    desired = documents(
        [dataset("usage"), RATES],
        [endpoint("rows", "usage"), PRICES],
        [
            key("k1", "t1", "rows"),
            key("k2", None, "rows", "prices"),
        ],
    )
    made = composed(desired, BEFORE, "usage")
    assert grants(made) == {"k1": ["rows"], "k2": ["prices"]}
