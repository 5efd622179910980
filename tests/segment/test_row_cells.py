"""Cells that are written ahead have the text that a request would give them, to the letter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.segment.row_encoding import decoded, encoded
from tests.segment.tables import Value, build, table, texts_of


def _written(contract: str, values: list[Value]) -> list[str]:
    """Return the texts of a one-column table, as built ahead; check them against the encoder."""
    source = table(contract, [(value,) for value in values])
    spec = texts_of(source)
    segment = build(source, texts=[spec])
    (texts,) = segment.texts
    rows = decoded(texts.rows_of(0, texts.row_count))
    assert rows == encoded(segment, spec)
    return [row.removeprefix('{"a_out":').removesuffix("}") for row in rows]


@settings(max_examples=60)
@given(
    numbers=st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(0, 2**64 - 1).map(lambda bits: float(np.uint64(bits).view(np.float64))),
            st.integers(-(10**17), 10**17).map(float),
            st.tuples(st.integers(-999, 999), st.integers(-320, 300)).map(
                lambda pair: float(f"{pair[0]}e{pair[1]}")
            ),
        ).filter(lambda number: bool(np.isfinite(number))),
        max_size=200,
    )
)
def test_doubles_are_noted_as_repr_does(numbers: list[float]) -> None:
    """Digits, exponent and `.0` of every finite double are Python's."""
    assert _written("a DOUBLE", [*numbers]) == list(map(repr, numbers))


def test_doubles_at_the_borders_of_the_notation() -> None:
    """Where exponents begin, where they get a second digit, zero with a sign, the least double."""
    borders = [5e-324, 2.2250738585072014e-308, 1e-10, 9.99e-10, 1e-9, 1e-6, 9.9e-5, 1e-05, 1e-4]
    borders += [0.0, 0.1, 1.0, 123456.0, 999999999999999.0, 1e15, 1000000000000000.5, 1e16, 1e17]
    borders += [9007199254740993.0, 123456789012345680.0, 1e21, 1e22, 1e100, 1.7976931348623157e308]
    ties = [odd * 2.0**-bits for bits in range(1, 27) for odd in (10**16 // 5**bits | 1, 1)]
    numbers = [*borders, *ties, *(-number for number in borders)]
    assert _written("a DOUBLE", [*numbers]) == list(map(repr, numbers))


@pytest.mark.parametrize(
    ("contract", "value", "text"),
    [
        ("a BOOLEAN", True, "true"),
        ("a INTEGER", -(2**31), "-2147483648"),
        ("a BIGINT", 2**63 - 1, "9223372036854775807"),
        ("a DECIMAL(9,2)", -5, "-0.05"),
        ("a DECIMAL(18,0)", -7, "-7"),
        ("a DECIMAL(18,18)", 1, "0.000000000000000001"),
        ("a DECIMAL(12,7)", 0, "0.0000000"),
        ("a DECIMAL(12,7)", 9, "0.0000009"),
        ("a DECIMAL(38,10)", -(10**37), f"-1{'0' * 27}.{'0' * 10}"),
        ("a DECIMAL(38,38)", 0, f"0.{'0' * 38}"),
        ("a VARCHAR", 'a"b\\c\n\x01\x7f/ä€𝄞\u2028', '"a\\"b\\\\c\\n\\u0001\x7f/ä€𝄞\u2028"'),
        ("a VARCHAR", "", '""'),
        ("a VARCHAR", "null", '"null"'),
        ("a DATE", 0, '"1970-01-01"'),
        ("a DATE", 11_016, '"2000-02-29"'),
        ("a DATE", -719_528, '"0000-01-01"'),
        ("a DATE", -719_529, '"-000001-12-31"'),
        ("a DATE", 2_932_896, '"9999-12-31"'),
        ("a DATE", 2_932_897, '"+010000-01-01"'),
        ("a DATE", 2**31 - 1, '"+5881580-07-11"'),
        ("a TIMESTAMP", -1, '"1969-12-31T23:59:59.999999Z"'),
        ("a TIMESTAMP", 86_399_000_000, '"1970-01-01T23:59:59Z"'),
        ("a TIMESTAMP", 253_402_300_800_000_000, '"+010000-01-01T00:00:00Z"'),
        ("a TIMESTAMP", -(2**63), '"-290308-12-21T19:59:05.224192Z"'),
        ("a TIMESTAMP", 2**63 - 1, '"+294247-01-10T04:00:54.775807Z"'),
        ("a JSON", '{"b":[1, 2.50,"ä"]}', '{"b":[1, 2.50,"ä"]}'),
        ("a JSON", "null", "null"),
    ],
)
def test_a_cell_is_written_exactly(contract: str, value: Value, text: str) -> None:
    """One text for each value, alone and among others; a null is `null` beside it."""
    assert _written(contract, [value]) == [text]
    assert _written(contract, [None, value, None, value]) == ["null", text, "null", text]
    assert _written(contract, [None, None]) == ["null", "null"]
