"""What a start says: where it listens, a request that works, and what is still to be loaded."""

from __future__ import annotations

from dataclasses import replace

from offloader.catalog.model import Catalog, Dataset, Endpoint, Param
from offloader.service.banner import Start, banner, example, url_of

DATASETS = {name: Dataset(name, ()) for name in ("usage", "costs")}
ENDPOINT = Endpoint("by_account", 1, "usage", (), ())
CATALOG = Catalog(
    True, DATASETS, {"zeta": replace(ENDPOINT, name="zeta"), "by_account": ENDPOINT}, ()
)
START = Start(CATALOG, ("0.0.0.0", 4000), ("127.0.0.1", 4001), 2, ())


def test_a_terminal_shows_where_to_look_and_what_to_try() -> None:
    """Version, both ports, the data, and the first endpoint by name."""
    version, *lines = banner(START).splitlines()
    assert version.startswith("Offloader ")
    assert lines == [
        "  API    http://127.0.0.1:4000  2 endpoints, 2 workers",
        "  admin  http://127.0.0.1:4001  the console; /docs explains the API",
        "  data   2 datasets, loading costs, usage",
        '  try    curl -H "Authorization: Bearer $API_KEY"'
        " 'http://127.0.0.1:4000/v1/endpoints/by_account?limit=10'",
        "         API_KEY is one of the project's keys",
    ]


def test_what_is_loaded_already_is_not_waited_for() -> None:
    """After a warm restart there is nothing to name."""
    assert START.loading == ["costs", "usage"]
    warm = replace(START, served=("usage", "costs"))
    assert warm.loading == []
    assert "  data   2 datasets, loaded from the cache" in banner(warm).splitlines()
    assert "loading costs" in banner(replace(START, served=("usage",)))


def test_only_so_many_datasets_are_named() -> None:
    """Of a thousand, twenty are."""
    many = {f"d{number:04}": Dataset(f"d{number:04}", ()) for number in range(1000)}
    text = banner(replace(START, catalog=replace(CATALOG, datasets=many)))
    assert "d0019 and 980 more" in text
    assert "d0020" not in text


def test_the_example_sends_what_is_required() -> None:
    """Values that the contract allows, encoded; no key where there are none."""
    sent = (Param("day", "date", required=True), Param("who", "string", required=True))
    params = (*sent, Param("more", "string"))
    catalog = replace(
        CATALOG,
        auth_required=False,
        endpoints={"one": replace(ENDPOINT, name="one", params=params)},
    )
    assert example(catalog, "http://h:1") == (
        "curl 'http://h:1/v1/endpoints/one?day=2026-01-01&who=example&limit=10'"
    )
    assert "API_KEY" not in banner(replace(START, catalog=catalog))


def test_a_project_without_endpoints_has_no_example() -> None:
    """Nothing to try, nothing said."""
    empty = replace(CATALOG, endpoints={})
    assert example(empty, "http://h:1") is None
    assert "try" not in banner(replace(START, catalog=empty))


def test_an_address_is_one_that_this_machine_reaches() -> None:
    """What means any address is none to connect to."""
    assert url_of(("0.0.0.0", 80)) == "http://127.0.0.1:80"
    assert url_of(("::", 80)) == "http://[::1]:80"
    assert url_of(("::1", 80)) == "http://[::1]:80"
    assert url_of(("10.0.0.1", 80)) == "http://10.0.0.1:80"
