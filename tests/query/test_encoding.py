"""Bodies are exact: the same bytes for the same values, always valid JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from offloader.query.cell_text import date_text, decimal_text, timestamp_text
from tests.query.serving import serve
from tests.segment.tables import Value

META = (
    '"meta":{"endpoint":"usage","version":1,"snapshot_id":"r0001","row_count":%d,"limit":%d,'
    '"offset":%d,"next_offset":%s,"next_cursor":%s,"serving_mode":"local_table","freshness":{'
    '"watermark":"2026-06-01T00:00:00Z","max_staleness_minutes":%s,"stale":%s}}'
)
CURSOR = '"Ad3d3d3d3d3d3d3d3d3d3d0wwTO9JRcXZMSjIcucloMxtO7HBwAAAAL_HOOJ"'


def test_a_body_has_the_contracts_shape() -> None:
    """Rows and meta in the contract's order, without spaces."""
    served = serve("a VARCHAR, b BIGINT", [("x", 1), ("y", None), ("z", 3)])
    body = served.body("limit=2").decode()
    rows = '{"data":[{"a":"x","b":1},{"a":"y","b":null}],'
    assert body == rows + META % (2, 2, 0, "2", CURSOR, "null", "false") + "}"
    empty = served.body("offset=9").decode()
    assert empty == '{"data":[],' + META % (0, 50, 9, "null", "null", "null", "false") + "}"


@pytest.mark.parametrize(
    ("minutes", "stale", "shown"),
    [(None, False, "null"), (None, True, "null"), (120.0, True, "120"), (0.5, False, "0.5")],
)
def test_freshness_follows_the_window(minutes: float | None, stale: bool, shown: str) -> None:
    """Without a window nothing is stale; whole minutes are shown as such."""
    served = serve("a INTEGER", [(1,)], max_staleness_minutes=minutes)
    flag = "true" if stale and minutes is not None else "false"
    expected = '{"data":[{"a":1}],' + META % (1, 50, 0, "null", "null", shown, flag) + "}"
    assert served.body(stale=stale).decode() == expected


def test_ndjson_is_one_object_a_line() -> None:
    """Each line ends with a line feed, no rows are no bytes, text cannot break a line."""
    served = serve("a VARCHAR, b BIGINT", [("x\ny", 1), ("\u2028", None)])
    assert served.ndjson() == '{"a":"x\\ny","b":1}\n{"a":"\u2028","b":null}\n'.encode()
    assert served.ndjson("offset=5") == b""


@pytest.mark.parametrize(
    ("contract", "value", "text"),
    [
        ("BOOLEAN", True, "true"),
        ("BOOLEAN", False, "false"),
        ("INTEGER", -(2**31), "-2147483648"),
        ("BIGINT", 2**63 - 1, "9223372036854775807"),
        ("BIGINT", -(2**63), "-9223372036854775808"),
        ("DOUBLE", 0.1, "0.1"),
        ("DOUBLE", 1.0, "1.0"),
        ("DOUBLE", -0.0, "-0.0"),
        ("DOUBLE", 1e16, "1e+16"),
        ("DOUBLE", 5e-324, "5e-324"),
        ("DOUBLE", 1.7976931348623157e308, "1.7976931348623157e+308"),
        ("DOUBLE", float("nan"), "null"),
        ("DOUBLE", float("inf"), "null"),
        ("DECIMAL(5,2)", 12345, "123.45"),
        ("DECIMAL(5,2)", -5, "-0.05"),
        ("DECIMAL(5,2)", 0, "0.00"),
        ("DECIMAL(5,0)", -12, "-12"),
        ("DECIMAL(3,3)", -123, "-0.123"),
        ("DECIMAL(38,0)", 10**38 - 1, "9" * 38),
        ("DECIMAL(38,38)", -1, "-0." + "0" * 37 + "1"),
        ("VARCHAR", "", '""'),
        ("VARCHAR", 'a"b\\c/d', '"a\\"b\\\\c/d"'),
        ("VARCHAR", "\n\r\t\b\f\x01\x1f\x7f", '"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f"'),
        ("VARCHAR", "é😀\u2028<&>%s", '"é😀\u2028<&>%s"'),
        ("DATE", 20605, '"2026-06-01"'),
        ("DATE", -719_162, '"0001-01-01"'),
        ("DATE", 2_932_896, '"9999-12-31"'),
        ("TIMESTAMP", 1_780_272_000_000_000, '"2026-06-01T00:00:00Z"'),
        ("TIMESTAMP", -1, '"1969-12-31T23:59:59.999999Z"'),
        ("TIMESTAMP", 1_500_000, '"1970-01-01T00:00:01.500000Z"'),
        ("JSON", '{"b":[1,2.50,{"c":null}],"a":"é"}', '{"b":[1,2.50,{"c":null}],"a":"é"}'),
        ("JSON", "null", "null"),
        ("JSON", '"text"', '"text"'),
    ],
)
def test_each_value_has_one_text(contract: str, value: Value, text: str) -> None:
    """The text alone in its column, and beside a null, is exactly this."""
    served = serve(f"v {contract}", [(value,), (None,)])
    assert served.data() == f'[{{"v":{text}}},{{"v":null}}]'
    assert served.data("limit=1") == f'[{{"v":{text}}}]'
    json.loads(served.body())


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (-719_163, "0000-12-31"),
        (-719_528, "0000-01-01"),
        (-719_529, "-000001-12-31"),
        (2_932_897, "+010000-01-01"),
        (2**31 - 1, "+5881580-07-11"),
        (-(2**31), "-5877641-06-23"),
    ],
)
def test_years_outside_four_digits_are_expanded(day: int, text: str) -> None:
    """ISO 8601's expanded years: a sign and at least six digits."""
    assert date_text(day) == text
    assert timestamp_text(day * 86_400_000_000) == f"{text}T00:00:00Z"


def test_the_extreme_timestamps_have_a_text() -> None:
    """Every 64-bit number of microseconds can be shown."""
    assert timestamp_text(2**63 - 1) == "+294247-01-10T04:00:54.775807Z"
    assert timestamp_text(-(2**63)) == "-290308-12-21T19:59:05.224192Z"


def test_decimal_text_reads_back_exactly() -> None:
    """Plain notation, whatever the scale."""
    for unscaled in (0, 1, -1, 99, -100, 10**37):
        for scale in (0, 1, 2, 37, 38):
            text = decimal_text(unscaled, scale)
            assert Decimal(text) == Decimal(unscaled).scaleb(-scale)
            assert "E" not in text


def test_repeated_texts_are_each_shown() -> None:
    """Reading a dictionary entry once does not lose its repeats or their order."""
    served = serve("v VARCHAR", [("b",), ("a",), (None,), ("b",), ("a",)])
    assert served.data() == '[{"v":"b"},{"v":"a"},{"v":null},{"v":"b"},{"v":"a"}]'


def test_columns_appear_in_select_order() -> None:
    """A subset keeps the order of the contract, not of the request."""
    served = serve("a INTEGER, b INTEGER, c INTEGER", [(1, 2, 3)])
    assert served.data("columns=c,a") == '[{"a":1,"c":3}]'
