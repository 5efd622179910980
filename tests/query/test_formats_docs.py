"""docs/api.md says of formats and codings what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from offloader.query.formats import ARROW, CSV, FORMATS
from offloader.service.worker.coding import LEAST_BYTES
from offloader.service.worker.negotiate import Representation
from tests.query.formatted import formatted, read_arrow
from tests.query.serving import serve

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
FORMAT_ROWS = re.findall(r"^\| `([a-z]+/[a-z.-]+)`.*\|$", PAGE, re.MULTILINE)
ARROW_SECTION = PAGE.split("### Arrow")[1].split("### ")[0]
TYPE_ROWS = re.findall(r"^\| (`.*) \| (.*) \|$", ARROW_SECTION, re.MULTILINE)
SPELLINGS = {
    pa.string(): "utf8",
    pa.json_(pa.string()): "utf8, marked as the extension type arrow.json",
    pa.timestamp("us", "UTC"): "timestamp[us, UTC]",
    pa.date32(): "date32",
    pa.float64(): "float64",
    pa.decimal128(9, 2): "decimal128(p,s)",
    pa.decimal128(38, 2): "decimal128(38,s)",
    pa.decimal128(38, 0): "decimal128(38,0)",
}


def test_the_page_lists_the_formats_in_the_order_of_ties() -> None:
    """JSON first; no other and none missing."""
    assert tuple(FORMAT_ROWS) == FORMATS
    assert Representation(CSV, "").content_type in PAGE


def test_the_csv_of_the_page_is_what_is_written() -> None:
    """The answer below the request for CSV, from the row that the page shows in JSON."""
    (row,) = re.findall(r'\{"account_id": "(\w+)", "api_calls_total": (\d+), "amount', PAGE)
    served = serve(
        "account_id VARCHAR, api_calls_total BIGINT, amount_total DECIMAL(9,2)",
        [(row[0], int(row[1]), 73788)],
    )
    shown = formatted(served, CSV).decode().replace("\r\n", "\n")
    assert f"```csv\n{shown}```" in PAGE


@pytest.mark.parametrize(("columns", "shown"), TYPE_ROWS)
def test_the_types_of_the_page_are_those_of_a_stream(columns: str, shown: str) -> None:
    """Each line of the table of Arrow types, asked of an endpoint with such columns."""
    assert len(TYPE_ROWS) == 14
    for item in columns.replace("`", "").split(", "):
        agg, _, found = item.partition(" of ") if item[0].islower() else ("", "", item)
        contract = (found or "INTEGER").replace("(p,s)", "(9,2)")
        served = serve(f"v {contract}", [], select=f"v {agg} a" if agg else "v")
        (arrow_type,) = read_arrow(formatted(served, ARROW)).schema.types
        own = "int32" if shown == "the column's" else shown.replace("`", "")
        assert SPELLINGS.get(arrow_type, str(arrow_type)) == own


def test_the_least_size_of_the_page_is_the_codes() -> None:
    """Numbers in prose follow the constants."""
    assert f"less\nthan {LEAST_BYTES // 1024} KiB" in PAGE
