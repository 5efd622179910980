"""Few paths serve every way to call a dataset's endpoints; a large dataset keeps the best."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Dataset, Endpoint, Order, Select
from offloader.segment.path_choice import (
    MOST_PATHS,
    PathChoice,
    PathSpec,
    choose_paths,
    path_for,
    path_limit,
)
from offloader.segment.path_ways import MAX_WAYS_PER_ENDPOINT, Way, ways_of
from tests.query.strategies import Case, make_case
from tests.segment.test_access_path import PUBLIC, TENANTS, endpoint, paths


def ordered(*names: str, **fields: str) -> Endpoint:
    """Make an endpoint of plain rows in an order such as `day`, `-calls`."""
    order = tuple(Order(name.lstrip("-"), name.startswith("-")) for name in names)
    return replace(endpoint(**fields), order_by=order)  # type: ignore[arg-type]


def grouped(*names: str, filters: str = "") -> Endpoint:
    """Make an endpoint of groups that counts."""
    keys = tuple(Select(name, name) for name in names)
    made = replace(endpoint(filters), select=(*keys, Select("n", "calls", "count")))
    return replace(made, group_by=names)


def way(equal: str, following: str = "") -> Way:
    """Make a way of space-separated columns."""
    return Way("e", (), tuple(equal.split()), tuple(following.split()), is_scan=False)


def test_one_path_serves_a_chain_of_subsets() -> None:
    """The columns of an equality come in any order: {a, b} and {b} share (b, a)."""
    three = endpoint("account:eq region:eq day:eq")
    assert paths(PUBLIC, three) == ["account region day", "day account", "region day"]
    two = endpoint("account:eq region:eq", combinations=("account region", "region"))
    assert paths(PUBLIC, two) == ["region account"]


def test_endpoints_share_what_serves_both() -> None:
    """A path is left out where another endpoint's path serves its ways as well."""
    both = endpoint("account:eq region:eq", required="account region")
    one = replace(endpoint("region:eq account:eq", required="region"), name="f")
    assert paths(PUBLIC, both) == ["account region"]
    assert paths(PUBLIC, both, one) == ["region account"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(("day", "calls"), "account day calls", id="ascending"),
        pytest.param(("-day", "-calls"), "account day calls", id="descending"),
        pytest.param(("day", "-calls"), "account day", id="until the direction changes"),
        pytest.param(("account", "-day"), "account day", id="an equal column does not count"),
        pytest.param(("day", "day", "calls"), "account day calls", id="each column once"),
    ],
)
def test_the_order_follows_as_long_as_it_goes_one_way(
    order: tuple[str, ...], expected: str
) -> None:
    """A path that is walked one way, forwards or backwards, gives one direction."""
    assert paths(PUBLIC, ordered(*order, filters="account:eq", required="account")) == [expected]


def test_a_range_that_may_be_left_out_does_not_hide_the_order() -> None:
    """With the range its column follows, without it the order's; one path when they begin alike."""
    optional = ordered("calls", filters="day:gte")
    assert paths(TENANTS, optional) == ["tenant calls", "tenant day"]
    required = ordered("calls", filters="day:gte", required="day")
    assert paths(TENANTS, required) == ["tenant day"]
    assert paths(TENANTS, ordered("-day", "-calls", filters="day:gte")) == ["tenant day calls"]


def test_each_range_that_may_come_alone_has_its_path() -> None:
    """But one with another's column is looked up by the contract's first."""
    assert paths(TENANTS, endpoint("day:gte calls:gte")) == ["tenant calls", "tenant day"]


def test_groups_lie_side_by_side_behind_what_is_equal() -> None:
    """Groups of a tenant are runs of its path; those of the whole table are not worth one."""
    assert paths(TENANTS, grouped("region", "day")) == ["tenant region day"]
    assert paths(PUBLIC, grouped("region", "day")) == []
    assert paths(PUBLIC, grouped("region", filters="account:eq")) == ["account region"]
    assert paths(TENANTS, grouped("region", "day", filters="day:gte")) == [
        "tenant day region",
        "tenant region day",
    ]


def test_ways_are_bounded() -> None:
    """Ten optional filters do not make a thousand paths: few-param ways come first."""
    names = [f"c{number}" for number in range(10)]
    wide = Dataset("usage", tuple(replace(TENANTS.columns[0], name=name) for name in names))
    many = endpoint(" ".join(f"{name}:eq" for name in names))
    ways = ways_of(wide, many)
    assert [len(one.params) for one in ways] == [0, *[1] * 10, *[2] * (MAX_WAYS_PER_ENDPOINT - 11)]
    assert sum(one.kept for one in choose_paths(wide, [many])) == MOST_PATHS


@pytest.mark.parametrize(
    ("row_count", "limit"),
    [(0, 16), (349_525, 16), (349_526, 15), (600_000, 9), (1_000_000, 6), (10**9, 6)],
)
def test_the_number_of_paths_follows_from_the_rows(row_count: int, limit: int) -> None:
    """Twelve bytes a row: 64 MiB together, though never fewer than 6 paths nor more than 16."""
    assert path_limit(row_count) == limit


def test_a_small_dataset_keeps_every_path() -> None:
    """Nothing is dropped while there is room, and every choice says who wants it."""
    choices = choose_paths(TENANTS, [endpoint("account:eq region:eq day:gte")], 1000)
    assert [choice.kept for choice in choices] == [True] * 4
    assert choices[0] == PathChoice(
        PathSpec(("tenant", "account", "day")), ("e",), True, "there is room for all 4 paths"
    )


def test_a_large_dataset_drops_what_helps_least() -> None:
    """Each endpoint keeps its most useful path, then those that serve most ways are kept."""
    many = endpoint("account:eq region:eq calls:eq day:gte", order_by="account")
    lone = replace(endpoint("calls:eq", required="calls"), name="lone")
    choices = choose_paths(PUBLIC, [many, lone], 5_000_000)
    found = {" ".join(one.spec.columns): (one.kept, one.reason) for one in choices}
    kept = (True, "one of the 6 paths that 5,000,000 rows keep")
    dropped = (False, "5,000,000 rows keep 6 paths, and this one helps least")
    assert found == {
        "account day": kept,
        "calls account day": kept,
        "calls day": (True, "the most useful one to lone"),
        "day": kept,
        "region account day": kept,
        "region calls account day": (True, "the most useful one to e"),
        "region calls day": dropped,
        "region day": dropped,
    }


def test_every_endpoint_keeps_one_path_beyond_the_limit() -> None:
    """Seven endpoints that share nothing keep seven paths, whatever the rows."""
    names = [f"c{number}" for number in range(7)]
    wide = Dataset("usage", tuple(replace(TENANTS.columns[0], name=name) for name in names))
    ones = [replace(endpoint(f"{name}:eq", required=name), name=name) for name in names]
    choices = choose_paths(wide, ones, 10**9)
    assert [(one.spec.columns, one.kept) for one in choices] == [((n,), True) for n in names]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (way("a b", "c"), "b a c"),
        (way("a b"), "b a c"),
        (way("a"), "a"),
        (way("a", "d"), "a"),
        (way("b"), "b a c"),
        (way("b d"), "b a c"),
        (way("d"), None),
        (way("", "b"), "b a c"),
        (way(""), None),
    ],
)
def test_a_way_takes_the_path_that_serves_it_best(asked: Way, expected: str | None) -> None:
    """All that is equal first, then what follows, then a part of what is equal."""
    specs = [PathSpec(("a",)), PathSpec(("b", "a", "c"))]
    found = path_for(asked, specs)
    assert (None if found is None else " ".join(found.columns)) == expected


@given(st.integers(0, 2**64 - 1), st.sampled_from([0, 10**6, 10**9]))
def test_every_way_finds_its_equal_columns_in_a_path(seed: int, row_count: int) -> None:
    """Of any contract: unless its path was dropped, a way's prefix covers all that is equal."""
    dataset, asked = made_contract(seed)
    choices = choose_paths(dataset, [asked], row_count)
    wanted = [choice.spec for choice in choices]
    kept = [choice.spec for choice in choices if choice.kept]
    for one in ways_of(dataset, asked):
        best = path_for(one, wanted)
        if one.equal or one.following:
            assert best is not None
            assert set(best.columns[: len(one.equal)]) == set(one.equal)
            following = best.columns[len(one.equal) : len(one.equal) + len(one.following)]
            assert following == one.following
        assert kept == wanted or len(kept) == path_limit(row_count)
    if dataset.tenant_column is not None:
        assert {spec.columns[0] for spec in wanted} == {dataset.tenant_column}


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3), st.randoms())
def test_choices_do_not_depend_on_the_order_of_endpoints(seeds: list[int], shuffle: Random) -> None:
    """And no path is a prefix of another one that is kept."""
    dataset, _ = made_contract(seeds[0])
    names = [column.name for column in dataset.columns]
    ones = []
    for number, seed in enumerate(seeds):
        _, other = made_contract(seed)
        if all(item.column in names for item in other.filters):
            ones.append(replace(other, name=f"e{number}", order_by=(), group_by=()))
    choices = choose_paths(dataset, ones)
    shuffle.shuffle(ones)
    assert choose_paths(dataset, ones) == choices
    columns = [one.spec.columns for one in choices]
    assert not [a for a in columns for b in columns if len(a) < len(b) and b[: len(a)] == a]


def made_contract(seed: int) -> tuple[Dataset, Endpoint]:
    """Make the dataset and the endpoint of a generated contract."""
    catalog = parse_documents(documents_of(make_case(Random(seed))))
    return catalog.datasets["made"], catalog.endpoints["asked"]


def documents_of(case: Case) -> dict[str, object]:
    """Return the documents of a project with a generated dataset and endpoint."""
    key: dict[str, object] = {
        "id": "k",
        "hash": "a" * 64,
        "tenant": None if case.table.tenant_column is None else "42",
        "endpoints": [],
        "status": "active",
    }
    return {
        "project": {"version": 1, "keys": "keys.yml"},
        "datasets": {"datasets/made.yml": case.dataset},
        "endpoints": {"endpoints/asked.yml": case.endpoint},
        "keys": {"keys": [key]},
        "keys_file": "keys.yml",
    }
