"""Composition of public projects with others: nobody is let in too early."""

from __future__ import annotations

from offloader.service.composition import contracts_of, dataset_contract
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


def test_a_public_project_that_gets_keys_asks_for_them_at_once() -> None:
    """Who was let in by the new config sees what everybody saw until the flip."""
    before = documents([dataset("usage")], [endpoint("rows", "usage")])
    desired = documents([USAGE], [ROWS], [key("k1", "t1", "rows")])
    made = composed(desired, before, "usage")
    assert made.catalog.auth_required
    assert made.catalog.datasets["usage"].tenant_column is None
    assert grants(made) == {"k1": ["rows"]}


def test_a_project_gets_public_when_the_last_tenant_rule_is_gone() -> None:
    """Until then the old keys open the old doors, and nobody else is let in."""
    desired = documents([dataset("usage"), RATES], [endpoint("rows", "usage"), PRICES])
    made = composed(desired, BEFORE, "usage")
    assert made.held == {"usage"}
    assert made.catalog.auth_required
    assert made.documents["keys"] == BEFORE["keys"]
    assert made.documents["project"] == BEFORE["project"]
    assert dataset_contract(made.documents, "usage") == dataset_contract(BEFORE, "usage")


def test_a_project_gets_public_at_once_while_only_public_data_is_held() -> None:
    """A dataset without tenants is no reason to ask for keys."""
    desired = documents([dataset("usage"), wider(RATES)], [endpoint("rows", "usage"), PRICES])
    made = composed(desired, BEFORE, "rates")
    assert made.held == {"rates"}
    assert not made.catalog.auth_required


def test_an_endpoint_that_is_taken_out_is_not_shown_to_everybody_before() -> None:
    """It was for keys alone; while its dataset is held the whole project asks for keys."""
    desired = documents([dataset("usage"), wider(RATES)], [endpoint("rows", "usage")])
    made = composed(desired, BEFORE, "rates")
    assert sorted(made.catalog.endpoints) == ["prices", "rows"]
    assert made.catalog.auth_required
    assert made.documents["keys"] == BEFORE["keys"]
    started = composed(desired, contracts_of(BEFORE), "rates")
    assert started.held == set()
    assert started.dropped == {"rates"}
    assert started.documents is desired


def test_after_a_start_tenants_are_dropped_rather_than_shown_to_everybody() -> None:
    """The old keys are not on the cache volume: the dataset is cold until it is built."""
    desired = documents([dataset("usage"), wider(RATES)], [endpoint("rows", "usage"), PRICES])
    made = composed(desired, contracts_of(BEFORE), "usage", "rates")
    assert made.held == {"rates"}
    assert made.dropped == {"usage"}
    assert not made.catalog.auth_required
    assert dataset_contract(made.documents, "usage") == dataset_contract(desired, "usage")
    assert dataset_contract(made.documents, "rates") == dataset_contract(BEFORE, "rates")
    alone = composed(desired, contracts_of(BEFORE), "usage")
    assert alone.documents is desired
    assert alone.held == set()
    assert alone.dropped == {"usage"}


def test_after_a_start_grants_are_known_again() -> None:
    """Where the tenant rule changes, whoever was let in before is, and nobody else."""
    rows = endpoint("rows", "usage", "shop")
    keys = [*KEYS, key("k3", "t3", "rows", "prices")]
    desired = documents([dataset("usage", "shop"), RATES], [rows, PRICES], keys)
    made = composed(desired, contracts_of(BEFORE), "usage")
    assert grants(made) == {"k1": ["rows", "prices"], "k2": ["prices"], "k3": ["prices"]}
    moved = documents(
        [dataset("usage", "shop"), RATES], [rows, PRICES], [key("k1", "t9", "rows", "prices")]
    )
    assert grants(composed(moved, contracts_of(BEFORE), "usage")) == {"k1": ["prices"]}
    unknown = {**contracts_of(BEFORE), "grants": {}}
    assert grants(composed(desired, unknown, "usage")) == {
        "k1": ["prices"],
        "k2": ["prices"],
        "k3": ["prices"],
    }
