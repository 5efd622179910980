"""Strict JSON: what Python's reader lets through and others do not."""

from __future__ import annotations

import pytest

from offloader.catalog.strict_json import canonical_json, parse_strict_json, shown


def test_a_document_is_read() -> None:
    """Ordinary JSON is read as ordinary values."""
    assert parse_strict_json(b' {"a": [1, 2.5, null, "\xc3\xa9"]}', max_depth=2) == {
        "a": [1, 2.5, None, "é"]
    }


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a":1,\n"b":}', "Expecting value, line 2 column 5"),
        (b'{"k":{"a":1,"a":2}}', 'the key "a" is repeated in one object'),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\\ud800"', "a string holds half of a surrogate pair"),
        (b"[[[1]]]", "nested deeper than 2 levels"),
        (b"[" * 50_000, "nested deeper than 2 levels"),
        (b"1" * 5000, "a number of more than 400 digits"),
    ],
)
def test_what_is_open_to_interpretation_is_refused(raw: bytes, message: str) -> None:
    """The message says what is wrong and where."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_strict_json(raw, max_depth=2)
    assert str(caught.value) == message


def test_depth_counts_containers() -> None:
    """A scalar has depth 0, each list or object around it one more."""
    assert parse_strict_json(b"[[1]]", max_depth=2) == [[1]]


def test_canonical_json_is_one_text() -> None:
    """Keys are sorted, nothing is escaped that need not be, no space is left."""
    assert canonical_json({"b": "é", "a": [1, True]}) == '{"a":[1,true],"b":"é"}'.encode()


def test_shown_text_fits_one_line() -> None:
    """Names from outside are quoted, escaped and cut."""
    assert shown("a\n") == '"a\\n"'
    assert shown("é") == '"é"'
    assert len(shown("x" * 500)) == 62
