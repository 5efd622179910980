"""Composition: what a dataset that waits for its build keeps, and what counts at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.catalog.documents import parse_documents
from offloader.errors import ConfigError
from offloader.service.composition import compose, contracts_of, dataset_contract
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


def served_contracts(made: Any, *names: str) -> list[Any]:
    return [dataset_contract(made.documents, name) for name in names]


def test_without_anything_held_the_new_documents_are_served_themselves() -> None:
    """Nothing is copied, merged or parsed again."""
    desired = documents([wider(USAGE)], [ROWS], KEYS[:0])
    catalog = parse_documents(desired)
    for held in ((), {"gone"}):
        made = compose(desired, catalog, BEFORE, held)
        assert made.documents is desired
        assert made.catalog is catalog
        assert (made.held, made.dropped) == (frozenset(), frozenset())


def test_a_held_dataset_keeps_its_contract_and_its_endpoints() -> None:
    """Old dataset over old data; every other dataset is served as the new config says."""
    rows, prices = {**ROWS, "version": 2}, {**PRICES, "version": 2}
    desired = documents([wider(USAGE), wider(RATES)], [rows, prices], KEYS)
    made = composed(desired, BEFORE, "usage")
    assert made.held == {"usage"}
    assert served_contracts(made, "usage") == [dataset_contract(BEFORE, "usage")]
    assert served_contracts(made, "rates") == [dataset_contract(desired, "rates")]
    assert {name: one.version for name, one in made.catalog.endpoints.items()} == {
        "rows": 1,
        "prices": 2,
    }


def test_a_new_endpoint_of_a_held_dataset_waits_with_it() -> None:
    """It may need the new columns; so do its grants wait, and nothing else of the key."""
    new = endpoint("more", "usage", "acme")
    granted = [key("k1", "t1", "rows", "more", "prices")]
    desired = documents([wider(USAGE), RATES], [ROWS, new, PRICES], granted)
    made = composed(desired, BEFORE, "usage")
    assert sorted(made.catalog.endpoints) == ["prices", "rows"]
    assert grants(made) == {"k1": ["rows", "prices"]}


def test_a_removed_endpoint_of_a_held_dataset_is_granted_to_nobody() -> None:
    """Its contract stays with the dataset, but no key of the new config may call it."""
    desired = documents([wider(USAGE), RATES], [PRICES], [key("k1", "t1", "prices")])
    made = composed(desired, BEFORE, "usage")
    assert sorted(made.catalog.endpoints) == ["prices", "rows"]
    assert grants(made) == {"k1": ["prices"]}


def test_a_removed_dataset_is_gone_at_once() -> None:
    """With its endpoints, whatever else is held; it cannot be held itself."""
    desired = documents([wider(USAGE)], [ROWS], [key("k1", "t1", "rows")])
    made = composed(desired, BEFORE, "usage")
    assert sorted(made.catalog.datasets) == ["usage"]
    assert sorted(made.catalog.endpoints) == ["rows"]


def test_a_new_dataset_is_served_beside_a_held_one() -> None:
    """It has no contract before, so it cannot be held."""
    fresh, all_fresh = dataset("fresh"), endpoint("all_fresh", "fresh")
    desired = documents([wider(USAGE), fresh], [ROWS, all_fresh], [key("k1", "t1", "all_fresh")])
    made = composed(desired, BEFORE, "usage", "fresh")
    assert made.held == {"usage"}
    assert sorted(made.catalog.datasets) == ["fresh", "usage"]
    assert grants(made) == {"k1": ["all_fresh"]}


def test_an_endpoint_that_moves_takes_both_datasets_along() -> None:
    """`prices` moves from `rates`, which is held, to `usage`: both flip together."""
    moved = {**PRICES, "dataset": "usage", "tenant": {"column": "acme"}}
    desired = documents([USAGE, wider(RATES)], [ROWS, moved], [key("k1", "t1", "prices", "rows")])
    made = composed(desired, BEFORE, "rates")
    assert made.held == {"rates", "usage"}
    assert served_contracts(made, "rates", "usage") == served_contracts_of_before()


def served_contracts_of_before() -> list[Any]:
    return [dataset_contract(BEFORE, "rates"), dataset_contract(BEFORE, "usage")]


def test_an_endpoint_that_moves_to_a_new_dataset_stays_until_the_old_one_flips() -> None:
    """The new dataset is served without it: one name has one contract at a time."""
    fresh = dataset("fresh")
    moved, other = {**PRICES, "dataset": "fresh"}, endpoint("all_fresh", "fresh")
    granted = [key("k2", None, "prices", "all_fresh")]
    desired = documents([USAGE, wider(RATES), fresh], [moved, other], granted)
    made = composed(desired, BEFORE, "rates")
    assert made.held == {"rates"}
    assert made.catalog.endpoints["prices"].dataset == "rates"
    assert made.catalog.endpoints["all_fresh"].dataset == "fresh"
    assert grants(made) == {"k2": ["prices", "all_fresh"]}


def test_endpoints_that_swap_names_in_a_ring_are_held_together() -> None:
    """Three datasets hand their endpoint on to the next: one that is held holds them all."""
    names = ("a", "b", "c")
    before = documents([dataset(n) for n in names], [endpoint(f"of_{n}", n) for n in names])
    ring = [endpoint("of_a", "b"), endpoint("of_b", "c"), endpoint("of_c", "a")]
    desired = documents([wider(dataset("a")), dataset("b"), dataset("c")], ring)
    made = composed(desired, before, "a")
    assert made.held == {"a", "b", "c"}
    assert made.documents["endpoints"].keys() == before["endpoints"].keys()
    assert {n: e.dataset for n, e in made.catalog.endpoints.items()} == {
        "of_a": "a",
        "of_b": "b",
        "of_c": "c",
    }


def test_a_file_that_holds_something_else_by_now_hides_nothing() -> None:
    """`usage.yml` describes `rates` from now on: the held `usage` gets a place of its own."""
    desired = documents([wider(USAGE), RATES], [ROWS, PRICES], KEYS)
    swapped = {
        **desired,
        "datasets": {"datasets/usage.yml": RATES, "datasets/new.yml": wider(USAGE)},
        "endpoints": {"endpoints/rows.yml": PRICES, "endpoints/new.yml": ROWS},
    }
    made = composed(swapped, BEFORE, "usage")
    assert made.documents["datasets"] == {
        "datasets/usage.yml": RATES,
        "held/datasets/usage.yml": USAGE,
    }
    assert made.documents["endpoints"] == {
        "endpoints/rows.yml": PRICES,
        "held/endpoints/rows.yml": ROWS,
    }


def test_files_may_change_places_again_and_again() -> None:
    """What is held since two configs ago is not lost to what is held since the last."""
    a, b, c = dataset("a"), dataset("b"), dataset("c")
    place = "datasets/x.yml"
    first = {**documents([a]), "datasets": {place: a}}
    second = {**first, "datasets": {place: b, "datasets/a.yml": wider(a)}}
    once = composed(second, first, "a")
    others = {"datasets/a.yml": wider(a), "datasets/b.yml": wider(b)}
    third = {**first, "datasets": {place: c, **others}}
    twice = composed(third, once.documents, "a", "b")
    assert sorted(twice.catalog.datasets) == ["a", "b", "c"]
    assert twice.held == {"a", "b"}
    assert sorted(map(str, twice.documents["datasets"].values())) == sorted(map(str, (a, b, c)))


def test_a_composition_is_composed_with_the_next_config() -> None:
    """A grant that waits goes on waiting, and a held contract stays the one that has data."""
    desired = documents(
        [dataset("usage", "shop"), RATES],
        [endpoint("rows", "usage", "shop"), PRICES],
        [*KEYS, key("k3", "t3", "rows")],
    )
    once = composed(desired, BEFORE, "usage")
    assert grants(once) == {"k1": ["rows", "prices"], "k2": ["prices"], "k3": []}
    again = {**desired, "datasets": {**desired["datasets"], "datasets/rates.yml": wider(RATES)}}
    twice = composed(again, once.documents, "usage")
    assert grants(twice) == grants(once)
    assert served_contracts(twice, "usage") == [dataset_contract(BEFORE, "usage")]


def test_contracts_are_all_but_the_keys() -> None:
    """No hash of a token lies on the cache volume, only what each key was granted."""
    found = contracts_of(BEFORE)
    assert set(found) == {"project", "datasets", "endpoints", "grants"}
    assert all(found[name] == BEFORE[name] for name in ("project", "datasets", "endpoints"))
    keys = BEFORE["keys"]["keys"]
    assert list(found["grants"].values()) == [
        {"tenant": key["tenant"], "endpoints": key["endpoints"], "expires_at": None} for key in keys
    ]
    assert not any(key["hash"] in json.dumps(found) for key in keys)


def test_a_contract_does_not_depend_on_the_names_of_files() -> None:
    """Moving a file about is no reason for a build."""
    moved = {**BEFORE, "datasets": {"datasets/x.yml": RATES, "datasets/y.yml": USAGE}}
    assert dataset_contract(moved, "usage") == dataset_contract(BEFORE, "usage")
    assert dataset_contract(BEFORE, "gone") == {"datasets": [], "endpoints": {}}


def test_contracts_that_are_none_are_refused_whole() -> None:
    """What was served cannot be read: that is told, and nothing is served half."""
    broken = {**BEFORE, "datasets": {"datasets/usage.yml": {"id": "usage"}}}
    desired = documents([wider(USAGE)], [ROWS], KEYS[:0])
    with pytest.raises(ConfigError):
        compose(desired, parse_documents(desired), broken, {"usage"})
