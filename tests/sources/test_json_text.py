"""Nested columns as JSON text, and JSON text as producers store it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from offloader.catalog.types import parse_type
from offloader.sources.arrow_cast import BadValueError, read_as

JSON = parse_type("JSON")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _texts(array: pa.Array) -> list[Any]:
    return [text.as_py() for text in read_as(JSON, array)]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ([1, None, -3], pa.list_(pa.int64()), "[1,null,-3]"),
        ([], pa.large_list(pa.int8()), "[]"),
        ([2**64 - 1], pa.list_(pa.uint64(), 1), "[18446744073709551615]"),
        ([True, False], pa.list_(pa.bool_()), "[true,false]"),
        ([0.1, 1e300, float("nan"), float("-inf")], pa.list_(pa.float64()),
         "[0.1,1e+300,null,null]"),
        ([Decimal("0.0000000001"), Decimal("1.10")], pa.list_(pa.decimal128(20, 10)),
         "[0.0000000001,1.1000000000]"),
        (["é\u2028", 'a"\\\n\x00'], pa.list_(pa.string()), '["é\u2028","a\\"\\\\\\n\\u0000"]'),
        ([date(1, 1, 1)], pa.list_(pa.date32()), '["0001-01-01"]'),
        ([NOON], pa.list_(pa.timestamp("ns", "Asia/Tokyo")), '["2026-06-01T12:00:00Z"]'),
        ([NOON.replace(microsecond=5)], pa.list_(pa.timestamp("us", "UTC")),
         '["2026-06-01T12:00:00.000005Z"]'),
        ({"b": 1, "a": None, 'q"': "x"},
         pa.struct([("b", pa.int8()), ("a", pa.null()), ('q"', pa.string())]),
         '{"b":1,"a":null,"q\\"":"x"}'),
        ([("k", [1]), ("l", None)], pa.map_(pa.string(), pa.list_(pa.int8())),
         '{"k":[1],"l":null}'),
        ([(5, 1)], pa.map_(pa.int32(), pa.int8()), '{"5":1}'),
        ([(True, 1)], pa.map_(pa.bool_(), pa.int8()), '{"true":1}'),
        ([(date(2026, 1, 1), 1)], pa.map_(pa.date32(), pa.int8()), '{"2026-01-01":1}'),
        ([["a"], None, []], pa.list_(pa.list_(pa.string())), '[["a"],null,[]]'),
    ],
)  # fmt: skip
def test_a_nested_value_is_one_json_text(value: Any, kind: pa.DataType, text: str) -> None:
    """Between two nulls, and in a slice, the text of a value is the same."""
    array = pa.array([None, value, None, value], kind)
    assert _texts(array) == [None, text, None, text]
    assert _texts(array.slice(1, 2)) == [text, None]


def test_coded_and_hidden_values_are_read_right() -> None:
    """Text in a dictionary is decoded; what lies below a null list is not there."""
    coded = pa.ListArray.from_arrays([0, 2, 3], pa.array(["a", "b", "a"]).dictionary_encode())
    assert _texts(coded) == ['["a","b"]', '["a"]']
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3]), mask=pa.array([True, False])
    )
    assert _texts(hidden) == [None, "[3]"]


def test_a_struct_without_fields_is_an_empty_object() -> None:
    """An empty object, not an empty text."""
    assert _texts(pa.array([{}, None], pa.struct([]))) == ["{}", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (' { "a" : [ 1 , 2.50 ] } ', '{"a":[1,2.50]}'),
        ('"a b\\" c"', '"a b\\" c"'),
        ('{"b":1,"a":2}', '{"b":1,"a":2}'),
        ("1e999", "1e999"),
        ("123456789012345678901234567890.12345", "123456789012345678901234567890.12345"),
        ('"\\u00e9é"', '"\\u00e9é"'),
        ("null", "null"),
    ],
)
def test_json_text_is_minified_and_nothing_else(text: str, expected: str) -> None:
    """No number, escape or key is written anew."""
    assert _texts(pa.array([text, None, text])) == [expected, None, expected]


@pytest.mark.parametrize(
    "text", ["", " ", "nul", "[1,]", "{'a':1}", "NaN", "[-Infinity]", "{} {}", '"\n"', "[" * 99_999]
)
def test_what_is_not_json_is_refused_at_its_row(text: str) -> None:
    """The first bad row is told, the value never."""
    with pytest.raises(BadValueError) as caught:
        read_as(JSON, pa.array(["[]", None, text, "[]", text]))
    assert (caught.value.row, caught.value.code) == (2, "json_invalid")
    assert str(caught.value) == "it is not JSON text"


def test_a_bad_time_inside_a_nested_value_is_refused() -> None:
    """Years that ISO 8601 cannot write have no JSON text."""
    times = pa.array([[0], [2**61]], pa.list_(pa.timestamp("us")))
    with pytest.raises(BadValueError) as caught:
        read_as(JSON, times)
    assert caught.value.row == 1
