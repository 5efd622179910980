"""YAML is read into plain values, within limits, with nothing guessed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.catalog.yaml_file import MAX_DEPTH, MAX_FILE_BYTES, YamlError, parse_yaml

VALUES: list[tuple[str, object]] = [
    ("a: 1", {"a": 1}),
    ("a: -0.5", {"a": -0.5}),
    ("a: 1e3", {"a": 1000.0}),
    ("a: true\nb: false", {"a": True, "b": False}),
    ("a:\nb: ~\nc: null", {"a": None, "b": None, "c": None}),
    ("a: [x, 2, [y]]", {"a": ["x", 2, ["y"]]}),
    ("a: 2026-06-01", {"a": "2026-06-01"}),
    ("a: 2026-06-01T00:00:00Z", {"a": "2026-06-01T00:00:00Z"}),
    ("a: yes\nb: No\nc: on\nd: True", {"a": "yes", "b": "No", "c": "on", "d": "True"}),
    ("a: 0x10\nb: 1_000\nc: 12:30\nd: 007", {"a": "0x10", "b": "1_000", "c": "12:30", "d": "007"}),
    ("a: .inf\nb: .nan\nc: +1", {"a": ".inf", "b": ".nan", "c": "+1"}),
    ("a: '1'\nb: \"true\"\nc: ''", {"a": "1", "b": "true", "c": ""}),
    ("1: a\ntrue: b\nnull: c", {"1": "a", "true": "b", "null": "c"}),
    ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ("<<: {b: 1}", {"<<": {"b": 1}}),
    ("\ufeffa: 1", {"a": 1}),
    ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
]
STOPPED: list[tuple[bytes, str]] = [
    (b"", "yaml_empty"),
    (b"# only a comment\n", "yaml_empty"),
    (b"null", "yaml_empty"),
    (b"a: \xff", "yaml_not_utf8"),
    ("a: é".encode("utf-16"), "yaml_not_utf8"),
    (b"a: 1\nb: \0", "yaml_nul"),
    (b"a: [1", "yaml_syntax"),
    (b"a: 1\n\tb: 2", "yaml_syntax"),
    (b"a: \x07", "yaml_syntax"),
    (b"a: b: c", "yaml_syntax"),
    (b"a: *x", "yaml_alias"),
    (b"a: &x [*x]", "yaml_alias"),
    (b"a: 1\n---\nb: 2", "yaml_many_documents"),
    (b"a: " + b"[" * (MAX_DEPTH + 1), "yaml_too_deep"),
    (b"[" * 500_000, "yaml_too_deep"),
    (b"{a: " * 200_000, "yaml_too_deep"),
    (b"a: [" + b"1," * 100_001 + b"]", "yaml_too_large"),
    (b"a" * (MAX_FILE_BYTES + 1), "file_too_large"),
]
FAULTY: list[tuple[str, object, str, str]] = [
    ("a: 1\nb: 2\na: 3", {"a": 3, "b": 2}, "a", "yaml_duplicate_key"),
    ("x: [{}, {a: 1, a: 2}]", {"x": [{}, {"a": 2}]}, "x[1].a", "yaml_duplicate_key"),
    ("1: a\n'1': b", {"1": "b"}, "1", "yaml_duplicate_key"),
    ("a: !!python/object:os.system x", {"a": "x"}, "a", "yaml_tag"),
    ("a: !!binary aGk=", {"a": "aGk="}, "a", "yaml_tag"),
    ("a: !mine {b: 1}", {"a": {"b": 1}}, "a", "yaml_tag"),
    ("? [a]\n: 1", {"?": 1}, "", "yaml_key"),
    ("a: [0, 1e999]", {"a": [0, 0]}, "a[1]", "yaml_number"),
    ("a: " + "9" * 41, {"a": 0}, "a", "yaml_number"),
    ('a: "\\0"', {"a": "?"}, "a", "text_invalid"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_file_has_one_meaning(text: str, value: object) -> None:
    """Only null, booleans and JSON numbers have a type; every other scalar is text."""
    assert parse_yaml(text.encode()) == (value, [])


@pytest.mark.parametrize(("raw", "code"), STOPPED)
def test_what_cannot_be_read_on_is_refused(raw: bytes, code: str) -> None:
    """Bytes, syntax, nesting, cycles and size are refused with their own code."""
    with pytest.raises(YamlError) as refusal:
        parse_yaml(raw)
    assert refusal.value.code == code
    assert refusal.value.message
    assert refusal.value.hint


@pytest.mark.parametrize(("text", "value", "path", "code"), FAULTY)
def test_a_fault_is_reported_and_reading_goes_on(
    text: str, value: object, path: str, code: str
) -> None:
    """A fault of one value names its path and leaves the rest of the file readable."""
    found, faults = parse_yaml(text.encode())
    assert found == value
    assert [(fault.path, fault.code) for fault in faults] == [(path, code)]


def test_a_syntax_problem_names_line_and_column() -> None:
    """The author is led to the place, and told of tabs."""
    with pytest.raises(YamlError) as refusal:
        parse_yaml(b"a: 1\nb:\n\tc: 2")
    assert refusal.value.message.startswith("line 3, column 1: ")
    assert refusal.value.hint == "indent with spaces, never tabs"


def test_aliases_cannot_multiply() -> None:
    """Nine nested levels of nine aliases cost what they stand for, and are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    with pytest.raises(YamlError, match="more than 100000 values"):
        parse_yaml("\n".join(lines).encode())


def test_a_long_text_cannot_be_multiplied() -> None:
    """A megabyte of text behind aliases costs by its length."""
    raw = b"a: &a " + b"x" * 900_000 + b"\nb: [" + b"*a, " * 1000 + b"*a]"
    with pytest.raises(YamlError, match="more than 100000 values"):
        parse_yaml(raw)


@given(st.binary(max_size=200) | st.text(alphabet="a:-[]{}&*!|>'\"?%@# \n\t1", max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes | str) -> None:
    """No input makes anything but a value, faults or a YamlError."""
    with suppress(YamlError):
        value, _ = parse_yaml(raw if isinstance(raw, bytes) else raw.encode())
        assert value is not None
