"""What is answered in one step, and what is left to the usual way."""

from __future__ import annotations

import pytest

from offloader.query import quick_total
from offloader.query.quick import answer_quickly
from tests.query.serving import Served, serve

SELECT = "n count rows, n sum total, x sum weight, x min least, d max last, c sum cost, m min at"
CONTRACT = "t VARCHAR, n BIGINT, x DOUBLE, d DATE, c DECIMAL(9,2), m TIMESTAMP"
ROWS = [("a", 1, 0.5, 19_000, 150, 0), ("b", 7, 9.5, 1, 1, 5), ("a", 2, -0.0, 19_001, 75, -1)]


def totals(rows: list[tuple[object, ...]] = ROWS, select: str = SELECT) -> Served:  # type: ignore[assignment]
    """Serve aggregates without groups over a tenant's rows."""
    return serve(CONTRACT, rows, select=select, tenant="t")  # type: ignore[arg-type]


def at_once(served: Served, query: str = "", tenant: str = "a") -> tuple[object, int] | None:
    """Return the body that is made in one step, and the rows read."""
    return answer_quickly(served.plan, served.bound(query), tenant, stale=False)


def test_totals_are_made_in_one_step() -> None:
    """The same body as by the usual way, and the number of rows that were read."""
    served = totals()
    assert at_once(served) == (served.body("", "a"), 2)
    assert served.data("", "a") == (
        '[{"rows":2,"total":3,"weight":0.5,"least":0.0,"last":"2022-01-09","cost":2.25,'
        '"at":"1969-12-31T23:59:59.999999Z"}]'
    )


@pytest.mark.parametrize(
    ("rows", "select", "query", "tenant"),
    [
        (ROWS, SELECT, "offset=1", "a"),
        (ROWS, SELECT, "", "nobody"),
        (ROWS, SELECT, "columns=rows", "a"),
        (ROWS, "n avg mean", "", "a"),
        (ROWS, "n count_distinct kinds", "", "a"),
        ([*ROWS, ("a", None, 1.0, 1, 1, 1)], SELECT, "", "a"),
        ([("a", 2**62, 1.0, 1, 1, 1), ("a", 2**62, 1.0, 1, 1, 1)], SELECT, "", "a"),
        ([("a", 1, 1.7e308, 1, 1, 1), ("a", 1, 1.7e308, 1, 1, 1)], SELECT, "", "a"),
    ],
    ids=["page", "no row", "columns", "average", "distinct", "nulls", "wide sum", "overflow"],
)
def test_what_takes_more_is_left(
    rows: list[tuple[object, ...]], select: str, query: str, tenant: str
) -> None:
    """It is answered all the same, by the usual way."""
    served = totals(rows, select)
    assert at_once(served, query, tenant) is None
    assert served.body(query, tenant).startswith(b'{"data":[')


def test_many_rows_do_not_hold_up_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than so many are not read in one step."""
    served = totals()
    monkeypatch.setattr(quick_total, "MAX_ROWS", 1)
    assert at_once(served) is None
    assert at_once(served, tenant="b") == (served.body("", "b"), 1)
