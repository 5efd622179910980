"""Locating: the path with the longest usable prefix is taken, and no row is read in vain."""

from __future__ import annotations

import numpy as np
import pytest

from offloader.catalog.model import Param
from tests.query.serving import Served, serve

ROWS = [(f"t{n % 2}", f"a{n % 5}", n % 10, n) for n in range(100)]
WHERE = (
    ("account", "eq", Param("account", "string")),
    ("account", "in", Param("accounts", "string")),
    ("day", "gte", Param("since", "integer")),
    ("day", "eq", Param("day", "integer")),
)


def usage(paths: list[tuple[str, ...]], **fields: str) -> Served:
    """Serve 100 rows of 2 tenants, 5 accounts and 10 days."""
    return serve(
        "tenant VARCHAR, account VARCHAR, day INTEGER, number INTEGER",
        ROWS,
        tenant="tenant",
        where=WHERE,
        paths=paths,
        **fields,
    )


@pytest.mark.parametrize(
    ("query", "path", "count"),
    [
        ("", ("tenant", "account", "day"), 50),
        ("account=a1", ("tenant", "account", "day"), 10),
        ("account=a1&since=5", ("tenant", "account", "day"), 10),
        ("account=a1&day=6", ("tenant", "account", "day"), 10),
        ("accounts=a1,a3", ("tenant", "account", "day"), 20),
        ("since=8", ("tenant", "day"), 10),
        ("day=8", ("tenant", "day"), 10),
    ],
)
def test_the_longest_prefix_then_a_range_is_looked_up(
    query: str, path: tuple[str, ...], count: int
) -> None:
    """Equal columns first, then a range or a list on the next one, count the rows read."""
    located = usage([("tenant", "account", "day"), ("tenant", "day")]).located(query, "t0")
    assert located.path is not None
    assert (located.path.columns, located.count, located.residual) == (path, count, ())


def test_of_equally_long_prefixes_the_fewest_rows_win() -> None:
    """What the path cannot answer is checked row by row."""
    rows = [("x", n, n % 2) for n in range(50)]
    served = serve(
        "t VARCHAR, many INTEGER, few INTEGER",
        rows,
        tenant="t",
        where=[("few", "eq", Param("few", "integer")), ("many", "eq", Param("many", "integer"))],
        paths=[("t", "few"), ("t", "many")],
    )
    located = served.located("few=1&many=7", "x")
    assert located.path is not None
    assert (located.path.columns, located.count) == (("t", "many"), 1)
    assert [view.name for view, _ in located.residual] == ["few"]


@pytest.mark.parametrize("order_by", ["day", "day desc", "account, day", "account"])
def test_of_equally_good_paths_the_one_in_the_wanted_order_is_taken(order_by: str) -> None:
    """A page then needs no sort of everything that matches."""
    paths = [("tenant", "number"), ("tenant", "account", "day"), ("tenant", "day")]
    assert usage(paths, order_by=order_by).estimate("limit=3", "t0") == 3


def test_without_a_path_everything_is_scanned() -> None:
    """The scan checks every condition, the tenant's first."""
    located = usage([]).located("account=a1", "t0")
    assert (located.path, located.count) == (None, 100)
    assert [view.name for view, _ in located.residual] == ["tenant", "account"]


@pytest.mark.parametrize("query", ["account=zz", "accounts=zz,zy", "day=1&since=2"])
def test_what_no_row_can_meet_reads_nothing(query: str) -> None:
    """A value outside a dictionary and a contradiction end before any row."""
    assert usage([("tenant", "account", "day")]).estimate(query, "t0") == 0
    assert usage([]).estimate(query, "t0") == 0


@pytest.mark.parametrize(
    ("order_by", "query", "rows_read"),
    [
        ("", "", 50),
        ("account, day", "limit=7", 7),
        ("account", "limit=7", 7),
        ("account desc", "limit=7&offset=2", 9),
        ("day", "limit=7", 50),
        ("day", "account=a1&limit=7", 7),
        ("account, day", "account=a1&limit=7", 7),
        ("account, day", "accounts=a1,a3&limit=7", 7),
        ("account desc", "accounts=a1,a3&limit=7", 20),
        ("day desc", "account=a1&since=0&limit=7", 7),
        ("number", "account=a1", 10),
    ],
)
def test_a_page_in_the_paths_order_reads_a_page(order_by: str, query: str, rows_read: int) -> None:
    """The estimate counts what must be looked at, not what matches."""
    assert (
        usage([("tenant", "account", "day")], order_by=order_by).estimate(query, "t0") == rows_read
    )


def test_an_aggregate_reads_all_it_locates() -> None:
    """A limit does not make a sum cheaper."""
    served = usage([("tenant", "account")], select="number sum")
    assert served.estimate("account=a1&limit=1", "t0") == 10


def test_a_slice_of_rows_is_not_copied() -> None:
    """Cells of a contiguous page are views of the segment."""
    served = usage([], select="day, number")
    tenantless = serve("day INTEGER, number INTEGER", [(n % 10, n) for n in range(100)])
    page = tenantless.result("limit=20&offset=40")
    values = tenantless.plan.segment.columns["number"].values
    assert values is not None
    assert np.shares_memory(page.columns[1].values, values)
    assert page.columns[1].values.tolist() == list(range(40, 60))
    assert page.rows_read == 20
    assert served.result("limit=1", "t0").rows_read == 100
