"""docs/queries.md says what the code does: its examples run, its codes are all there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from offloader.catalog.model import Param
from offloader.query.codes import REQUEST_CODES
from offloader.query.params import MAX_OFFSET
from offloader.query.query_string import MAX_PAIRS, MAX_QUERY_BYTES
from tests.query.serving import serve

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
CONTRACT = "region VARCHAR, day DATE, calls BIGINT, amount DECIMAL(10,2)"
ROWS = [
    ("eu", 20605, 5, 150),
    ("us", 20606, 9, None),
    (None, 20606, None, 25),
    ("eu", 20607, 9, 200),
]
EXAMPLES = re.findall(r"^\| `([^`]+)` \| `(\[.*\])` \|$", PAGE, re.MULTILINE)


def test_the_page_has_examples() -> None:
    """The pattern above still finds the table of examples."""
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize(("query", "data"), EXAMPLES)
def test_an_example_is_answered_as_written(query: str, data: str) -> None:
    """Each request of the page gives the data beside it."""
    served = serve(
        CONTRACT,
        ROWS,
        where=[
            ("region", "eq", Param("region", "string")),
            ("day", "gte", Param("since", "date")),
            ("calls", "in", Param("calls", "integer")),
        ],
        order_by="calls desc",
    )
    assert served.data(query) == data


def test_the_grouped_example_is_answered_as_written() -> None:
    """The groups of the page are those of its rows."""
    select = "region, calls count n, calls sum calls, calls avg mean, amount sum amount"
    served = serve(CONTRACT, ROWS, select=select, group_by="region")
    assert f"```json\n{served.data()}\n```" in PAGE


def test_the_rows_of_the_page_are_the_tests() -> None:
    """The table above the examples holds the rows that they ran over."""
    texts = [row.values() for row in _shown_rows()]
    assert [f"| {' | '.join(cells)} |" in PAGE for cells in texts] == [True] * 4


def test_every_code_is_on_the_page_and_no_other() -> None:
    """A code and its meaning are listed as the code has them."""
    listed = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", PAGE.split("## Refusals")[1], re.MULTILINE)
    assert dict(listed) == dict(REQUEST_CODES)


def test_the_limits_on_the_page_are_the_codes() -> None:
    """Numbers in prose follow the constants."""
    assert f"{MAX_QUERY_BYTES // 1024} KiB and {MAX_PAIRS} parameters" in PAGE
    assert f"from 0 to {MAX_OFFSET}" in PAGE


def _shown_rows() -> list[dict[str, str]]:
    served = serve(CONTRACT, ROWS)
    rows = re.findall(r"\{([^}]*)\}", served.data())
    cells = [re.findall(r'"(\w+)":"?([^",]+)"?', row) for row in rows]
    return [dict(pairs) for pairs in cells]
