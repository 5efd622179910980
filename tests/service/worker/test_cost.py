"""Rules of the estimate: what is much work is estimated dear, and a look-up is not estimated."""

from __future__ import annotations

import pytest

from offloader.catalog.model import Param
from offloader.query.formats import ARROW, JSON
from offloader.service.worker import cost
from offloader.service.worker.answer import Query
from offloader.service.worker.cost import INLINE_MICROS, cost_micros, is_quick, quick_rows
from offloader.service.worker.generation import Served
from offloader.service.worker.negotiate import Representation
from tests.query.serving import Served as ServedPlan
from tests.query.serving import serve

ROWS = 20_000
_FEW = [("k", "eq", Param("k", "integer"))]


def table(select: str = "", **fields: object) -> ServedPlan:
    """Serve rows of a key that 100 rows share, a distinct number, a double and a text."""
    rows = [(n // 100, n, n / 7, f"text {n % 50}") for n in range(ROWS)]
    fields = {"max_limit": 10_000, "where": _FEW, **fields}
    return serve("k INTEGER, n BIGINT, x DOUBLE, t VARCHAR", rows, select=select, **fields)  # type: ignore[arg-type]


def query(served: ServedPlan, asked: str = "", media: str = JSON, coding: str = "") -> Query:
    """Return the query that a request for an endpoint becomes."""
    return Query(
        served=Served(served.plan.endpoint, served.plan),
        plan=served.plan,
        bound=served.bound(asked),
        tenant=None,
        located=served.located(asked),
        stale=False,
        representation=Representation(media, coding),
        fields="",
        tag='"tag"',
    )


def test_a_look_up_is_quick_without_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever such a request asks of 100 rows, it cannot cost much."""
    monkeypatch.setattr(cost, "cost_micros", None)
    served = table("n")
    assert 100 < Served(served.plan.endpoint, served.plan).quick_rows < 1000
    assert is_quick(query(served, "k=5"))


def test_what_is_quick_unseen_costs_little() -> None:
    """A request of as many rows is never estimated above what may run on the loop."""
    for select, fields in (
        ("", {}),
        ("n", {}),
        ("k, n count_distinct d, x sum s", {"group_by": "k"}),
    ):
        served = table(select, where=(), **fields)
        found = query(served, "limit=10000", coding="gzip")
        found.located.spans = ((0, quick_rows(served.plan)),)
        assert cost_micros(found) < INLINE_MICROS


def test_a_large_page_does_not_run_on_the_loop() -> None:
    """Ten thousand rows take long to encode, however few are checked to find them."""
    assert is_quick(query(table(), "limit=50"))
    assert not is_quick(query(table(), "limit=10000"))


def test_each_kind_of_work_costs() -> None:
    """More rows, columns, coding or distinct values are dearer; Arrow is cheaper than JSON."""
    page = cost_micros(query(table(), "limit=1000"))
    assert cost_micros(query(table(), "limit=2000")) > 1.8 * page
    assert cost_micros(query(table("n, x"), "limit=1000")) < page
    assert cost_micros(query(table(), "limit=1000", coding="gzip")) > 1.2 * page
    assert cost_micros(query(table(), "limit=1000", coding="zstd")) > page
    assert cost_micros(query(table(), "limit=1000", media=ARROW)) < page / 2
    total = cost_micros(query(table("n sum s", where=())))
    assert cost_micros(query(table("n count_distinct d", where=()))) > total
    assert cost_micros(query(table("k, n sum s", where=(), group_by="k"))) > 2 * total
    assert cost_micros(query(table("n sum s"), "k=5")) < total / 2


def test_an_order_that_must_be_made_costs() -> None:
    """Sorting all rows for a page is dearer than reading rows as they come."""
    plain = cost_micros(query(table("n, x", where=()), "limit=50"))
    ordered = table("n, x", where=(), order_by="x desc", paths=())
    assert cost_micros(query(ordered, "limit=50")) > 3 * plain


def test_an_offset_that_leaves_nothing_costs_no_encoding() -> None:
    """Rows are looked for, and none is encoded."""
    assert is_quick(query(table(where=()), "limit=10000&offset=20000"))
