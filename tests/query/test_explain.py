"""An explanation tells how a request is answered: path, rows and bytes, and what would help."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from offloader.catalog.model import Param
from offloader.query.explain import Explanation, explain
from offloader.segment.path_choice import PathChoice, PathSpec, choose_paths
from tests.query.serving import Served, serve

CONTRACT = "tenant VARCHAR, account VARCHAR, region VARCHAR, day INTEGER, note JSON"
ROWS = [(f"t{n % 2}", f"a{n % 5}", f"r{n % 3}", n, '"text"') for n in range(3000)]
WHERE = (
    ("account", "eq", Param("account", "string")),
    ("region", "in", Param("regions", "string")),
    ("day", "gte", Param("since", "integer")),
    ("region", "ne", Param("but", "string")),
)


def explained(
    served: Served, query: str = "", tenant: str | None = None, *, rows: int = 0
) -> Explanation:
    """Explain one request, by a clock that shows a second more each time."""
    plan = served.plan
    choices = choose_paths(plan.dataset, [plan.endpoint], rows)
    ticks = itertools.count()
    return explain(plan, served.bound(query), tenant, choices, lambda: float(next(ticks)))


@pytest.fixture(scope="module")
def scoped() -> Served:
    return serve(CONTRACT, ROWS, tenant="tenant", where=WHERE, order_by="day", select="day, region")


@pytest.fixture(scope="module")
def public() -> Served:
    return serve(CONTRACT, ROWS, where=WHERE, select="day sum total", columns=("total",))


def test_a_request_on_a_path(scoped: Served) -> None:
    """Every field, for an equality with a range in the wanted order."""
    assert explained(scoped, "account=a1&since=2000&limit=7", "t1") == Explanation(
        endpoint="usage",
        dataset="usage",
        snapshot_id="r0001",
        row_count=3000,
        path=("tenant", "account", "day"),
        equal=("tenant", "account"),
        listed=(),
        ranged=("day",),
        residual=(),
        order=("day",),
        order_from="path",
        is_scan=False,
        rows_located=100,
        rows_estimated=7,
        rows_read=7,
        bytes_read=7 * (4 + 1 + 4),
        result_rows=7,
        seconds=1.0,
        advice=(),
    )


def test_lists_and_what_is_checked(scoped: Served) -> None:
    """A list is looked up value by value, ne is checked row by row."""
    found = explained(scoped, "regions=r0,r2&but=r0&limit=5", "t0")
    assert (found.path, found.listed) == (("tenant", "region", "day"), ("region",))
    assert (found.residual, found.order_from) == (("region ne",), "sort")
    assert (found.rows_located, found.rows_read, found.result_rows) == (1000, 1000, 5)


def test_a_value_that_no_row_holds_reads_nothing(scoped: Served) -> None:
    """Neither path nor scan."""
    found = explained(scoped, "account=zz", "t0")
    assert (found.path, found.is_scan, found.rows_located, found.bytes_read) == (None, False, 0, 0)


def test_a_scan_says_which_param_helps(public: Served) -> None:
    """Every row is read, for nothing narrows the call."""
    found = explained(public)
    assert (found.path, found.is_scan, found.rows_read) == (None, True, 3000)
    assert found.advice == (
        "every row is read unless account or regions or since is sent: make one required, or list"
        " the allowed sets in combinations",
    )


def test_a_scan_by_nature_says_so() -> None:
    """An aggregate of everything has no path to use."""
    found = explained(serve(CONTRACT, ROWS, select="day sum total", columns=("total",)))
    assert found.advice == (
        "this endpoint aggregates every row by nature: publish a table that is summed already, or"
        " set cache.policy to snapshot",
    )


def test_ne_alone_is_told(public: Served) -> None:
    """No order can look up what is not equal."""
    found = explained(public, "but=r1")
    assert (found.is_scan, found.residual) == (True, ("region ne",))
    assert found.advice[0] == "ne on region looks at every row that is found: filter by eq or in"
    assert found.advice[1].startswith("every row is read unless account or regions or since")


def test_a_dropped_path_is_told(public: Served) -> None:
    """Where the budget had no room, the choice's reason is repeated."""
    plan = replace(public.plan, paths=())
    plan.shapes.clear()
    spec = PathSpec(("account", "day"))
    dropped = PathChoice(spec, ("usage",), kept=False, reason="there is no room")
    ticks = itertools.count()
    found = explain(plan, public.bound("account=a1"), None, [dropped], lambda: float(next(ticks)))
    plan.shapes.clear()
    assert (found.is_scan, found.residual) == (True, ("account eq",))
    assert found.advice == ("the path (account, day) would help: there is no room",)


def test_json_counts_with_its_texts() -> None:
    """Eight bytes of offset and the mean text, for each row that is read."""
    served = serve(CONTRACT, ROWS, where=WHERE, select="note")
    found = explained(served, "limit=10")
    assert (found.rows_read, found.bytes_read) == (10, 10 * (8 + len('"text"')))
