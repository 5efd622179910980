"""Order and paging: one total order a request, so pages never overlap or skip."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from offloader.catalog.model import Param
from offloader.catalog.types import ColumnType, Kind
from offloader.query import order
from offloader.query.cells import Cells
from tests.query.serving import Served, serve

ROWS = [("b", 2), (None, 1), ("a", None), ("b", 1), ("a", 2), (None, None)]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("g", [2, 4, 0, 3, 1, 5]),
        ("g desc", [0, 3, 2, 4, 1, 5]),
        ("v", [1, 3, 0, 4, 2, 5]),
        ("v desc", [0, 4, 1, 3, 2, 5]),
        ("g, v", [4, 2, 3, 0, 1, 5]),
        ("g desc, v desc", [0, 3, 4, 2, 1, 5]),
        ("v, g desc", [3, 1, 0, 4, 2, 5]),
    ],
)
def test_nulls_are_last_and_ties_keep_source_order(order_by: str, expected: list[int]) -> None:
    """Both directions put nulls last; equal rows come as the producer wrote them."""
    rows = [(g, v, number) for number, (g, v) in enumerate(ROWS)]
    for paths in (None, [], [("g", "v")], [("v",)]):
        served = serve("g VARCHAR, v BIGINT, number INTEGER", rows, order_by=order_by, paths=paths)
        assert [row[2] for row in served.rows()] == expected


def test_the_order_may_use_a_column_that_is_not_shown() -> None:
    """A subset of columns changes what is shown, not the order."""
    served = serve("g VARCHAR, v INTEGER", [("a", 3), ("b", 1), ("c", 2)], order_by="v")
    assert served.data("columns=g") == '[{"g":"b"},{"g":"c"},{"g":"a"}]'


def test_groups_tie_by_their_keys() -> None:
    """Equal groups come in the order of group_by, ascending, nulls last."""
    rows = [("b", 1, 5), ("a", 2, 5), ("a", 1, 5), (None, 1, 5), ("a", None, 9)]
    served = serve(
        "g VARCHAR, h INTEGER, v INTEGER",
        rows,
        select="g, h, v sum s",
        group_by="g, h",
        order_by="s desc",
    )
    assert [row[:2] for row in served.rows()] == [
        ("a", None),
        ("a", 1),
        ("a", 2),
        ("b", 1),
        (None, 1),
    ]


def test_sums_beyond_64_bits_are_ordered() -> None:
    """Groups can be ordered by sums that no machine integer holds, and by null ones."""
    top = 2**63 - 1
    rows = [(1, top), (1, top), (2, -top), (2, -top), (2, -top), (3, 5), (4, None)]
    for order_by, expected in (("s", [2, 3, 1, 4]), ("s desc", [1, 3, 2, 4])):
        served = serve(
            "g INTEGER, v BIGINT", rows, select="g, v sum s", group_by="g", order_by=order_by
        )
        assert [row[0] for row in served.rows()] == expected


@pytest.fixture(params=["group", "plain", "desc"])
def paged(request: pytest.FixtureRequest) -> Served:
    rows = [(n % 5, n) for n in range(10)]
    if request.param == "group":
        return serve("a INTEGER, b INTEGER", rows, select="b, a sum", group_by="b")
    order_by = "a desc" if request.param == "desc" else ""
    return serve("a INTEGER, b INTEGER", rows, order_by=order_by)


def test_next_offset_is_null_on_the_last_page_only(paged: Served) -> None:
    """A page that ends exactly at the last row is the last."""
    offsets = [
        (offset, limit, paged.result(f"offset={offset}&limit={limit}").next_offset)
        for offset, limit in ((0, 9), (0, 10), (0, 11), (9, 1), (8, 1), (10, 5), (4_294_967_295, 9))
    ]
    assert [found for _, _, found in offsets] == [9, None, None, None, 9, None, None]


@pytest.mark.parametrize("limit", [1, 3, 4, 10, 100])
def test_pages_put_together_are_the_whole(paged: Served, limit: int) -> None:
    """Following next_offset visits every row once, in order."""
    whole, seen = paged.rows("limit=100"), []
    offset: int | None = 0
    while offset is not None:
        seen += paged.rows(f"limit={limit}&offset={offset}")
        offset = paged.result(f"limit={limit}&offset={offset}").next_offset
    assert seen == whole
    assert len(seen) == 10


def _expected(rows: list[tuple[Any, ...]], place: int, descending: bool) -> list[int]:
    present = [row for row in rows if row[place] is not None]
    present.sort(key=lambda row: row[place], reverse=descending)
    if descending:  # a reversed sort keeps ties in order, as wanted
        assert all(isinstance(row[place], int | str) for row in present)
    return [row[-1] for row in present] + [row[-1] for row in rows if row[place] is None]


@pytest.mark.parametrize("descending", [False, True], ids=["asc", "desc"])
@pytest.mark.parametrize("paths", [[], [("t", "v")], [("t",)], [("t", "w")]])
@pytest.mark.parametrize("place", [1, 2])
def test_a_page_of_many_rows_is_the_same_by_every_path(
    descending: bool, paths: list[tuple[str, ...]], place: int
) -> None:
    """Selecting a page from thousands of rows agrees with sorting them all."""
    pick = random.Random(3)
    rows = [
        ("t", pick.choice([None, *range(9)]), pick.choice([None, "a", "b", str(n)]), n)
        for n in range(3000)
    ]
    served = serve(
        "t VARCHAR, v INTEGER, w VARCHAR, n INTEGER",
        rows,
        tenant="t",
        order_by=("v" if place == 1 else "w") + (" desc" if descending else ""),
        paths=paths,
    )
    expected = _expected(rows, place, descending)
    for offset in (0, 95, 290, 1500, 2600, 2990):
        found = [row[3] for row in served.rows(f"limit=20&offset={offset}", "t")]
        assert found == expected[offset : offset + 20]


@pytest.mark.parametrize(
    ("order_by", "query", "expected"),
    [
        ("n desc", "limit=3", [99, 98, 97]),
        ("n desc", "limit=3&offset=96", [3, 2, 1]),
        ("n desc", "limit=3&offset=98", [1, 0, None]),
        ("n desc", "limit=3&lo=40&offset=58", [41, 40]),
        ("n", "limit=3&offset=98", [98, 99, None]),
        ("n desc, t", "limit=2&offset=1", [98, 97]),
    ],
)
def test_a_page_from_either_end_of_a_path_is_exact(
    order_by: str, query: str, expected: list[int | None]
) -> None:
    """Taking only the rows that can be on the page loses none of them."""
    rows = [("t", n) for n in range(100)] + [("t", None), ("u", 1000)]
    where = [("n", "gte", Param("lo", "integer"))]
    served = serve(
        "t VARCHAR, n INTEGER",
        rows,
        tenant="t",
        where=where,
        order_by=order_by,
        paths=[("t", "n")],
    )
    assert [row[1] for row in served.rows(query, "t")] == expected


@pytest.mark.parametrize("wanted", [1, 2, 3, 5])
@pytest.mark.parametrize("threshold", [0, 1024])
def test_what_a_null_holds_does_not_order_it(
    wanted: int, threshold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value under a null means nothing: only its row's place does."""
    monkeypatch.setattr(order, "WORTH_SELECTING_ROWS", threshold)
    values = np.array([5, -9, 3, 9, 3] + [7] * 20)
    valid = np.array([True, False, True, False, True] + [False] * 20)
    cells = Cells(ColumnType(Kind.BIGINT), values, valid)
    for descending, expected in ((False, [2, 4, 0, 1, 3]), (True, [0, 2, 4, 1, 3])):
        key = order.SortKey(cells, descending)
        assert order.first_positions([key], 25, wanted).tolist() == expected[:wanted]


@pytest.mark.parametrize("order_by", ["", "v", "v desc", "v, w", "v desc, w"])
@pytest.mark.parametrize("query", ["lo=3", "hi=5", "lo=2&hi=6", "any=1,4,8", ""])
def test_a_range_of_many_rows_is_the_same_with_and_without_paths(order_by: str, query: str) -> None:
    """An access path is only faster: rows, order and next_offset are a scan's."""
    pick = random.Random(11)
    rows = [(pick.choice([None, *range(9)]), pick.randrange(4), n) for n in range(2500)]
    where = [
        ("v", "gte", Param("lo", "integer")),
        ("v", "lte", Param("hi", "integer")),
        ("v", "in", Param("any", "integer")),
    ]
    asked = [
        serve("v INTEGER, w INTEGER, n INTEGER", rows, where=where, order_by=order_by, paths=paths)
        for paths in ([], [("v",)], [("v", "w")])
    ]
    for page in ("limit=30", "limit=30&offset=60", "limit=100&offset=1200"):
        bodies = {served.body("&".join(filter(None, (query, page)))) for served in asked}
        assert len(bodies) == 1
