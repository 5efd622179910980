"""What text a parameter takes, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.catalog.model import Param, ParamType, ParamValue
from offloader.catalog.values import (
    INT64_MAX,
    INT64_MIN,
    format_value,
    is_text,
    parse_list,
    parse_literal,
    parse_value,
)

ACCEPTED: list[tuple[ParamType, str, ParamValue]] = [
    ("string", "", ""),
    ("string", "ünï — 😀", "ünï — 😀"),
    ("integer", "0", 0),
    ("integer", "-0", 0),
    ("integer", "007", 7),
    ("integer", "9223372036854775807", INT64_MAX),
    ("integer", "-9223372036854775808", INT64_MIN),
    ("number", "1", 1.0),
    ("number", "-0.25", -0.25),
    ("number", "1e-7", 1e-7),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("date", "1970-01-01", 0),
    ("date", "1969-12-31", -1),
    ("date", "2024-02-29", 19782),
    ("date", "0001-01-01", -719162),
    ("date", "9999-12-31", 2932896),
    ("timestamp", "1970-01-01T00:00Z", 0),
    ("timestamp", "1970-01-01T00:00:00.000001Z", 1),
    ("timestamp", "1970-01-01T00:00:00.5Z", 500_000),
    ("timestamp", "1970-01-01T01:00:00+01:00", 0),
    ("timestamp", "1969-12-31T23:59:59Z", -1_000_000),
    ("timestamp", "1969-12-31T19:30:00-04:30", 0),
]
REFUSED: list[tuple[ParamType, str]] = [
    ("string", "a\0b"),
    ("string", "\udc80"),
    *(("integer", t) for t in ("", " 1", "1 ", "+1", "1_0", "1.0", "0x1", "١", "1e3", "9" * 65)),
    ("integer", "9223372036854775808"),
    ("integer", "-9223372036854775809"),
    *(("number", t) for t in ("", "nan", "inf", "-Infinity", "1.", ".5", "+1", "1e999", "1,5")),
    *(("number", t) for t in ("1_0", "0x1p3", "1" * 65)),
    *(("boolean", t) for t in ("", "True", "1", "yes", "TRUE")),
    *(("date", t) for t in ("", "2026-02-30", "2026-2-3", "20260203", "0000-01-01", "-001-01-01")),
    ("date", "2026-01-01T00:00:00Z"),
    *(("timestamp", t) for t in ("", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z")),
    *(("timestamp", f"2026-01-01T{t}") for t in ("24:00:00Z", "00:60Z", "00:00:60Z", "00:00z")),
    ("timestamp", "2026-01-01T00:00:00.1234567Z"),
    ("timestamp", "2026-01-01T00:00:00+24:00"),
    ("timestamp", "2026-01-01T00:00:00+01:60"),
    ("timestamp", "2026-01-01T00:00:00 01:00"),
    ("timestamp", "0001-01-01T00:00:00+01:00"),
]


@pytest.mark.parametrize(("kind", "text", "value"), ACCEPTED)
def test_a_text_of_the_type_has_one_value(kind: ParamType, text: str, value: ParamValue) -> None:
    """Each type reads its text into the stated value, of the stated Python type."""
    parsed = parse_literal(kind, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_anything_else_is_refused(kind: ParamType, text: str) -> None:
    """A near miss is refused with a message that never repeats it."""
    with pytest.raises(ValueError, match=r"^must be ") as refusal:
        parse_literal(kind, text)
    assert len(text) < 3 or text not in str(refusal.value)


def test_minus_zero_is_zero() -> None:
    """Equal numbers have one text, so that they make one ETag."""
    assert str(parse_literal("number", "-0")) == "0.0"


def test_rules_apply_in_order() -> None:
    """Aliases come first, then the type, the enum, the bounds and the length."""
    param = Param("size", "integer", min=1, max=10, aliases={"most": "10", "lots": "11"})
    assert parse_value(param, "most") == 10
    with pytest.raises(ValueError, match=r"^must be at most 10$"):
        parse_value(param, "lots")
    with pytest.raises(ValueError, match=r"^must be at least 1$"):
        parse_value(param, "0")
    text = Param("plan", "string", enum=("free", "premium"), max_length=4)
    assert parse_value(text, "free") == "free"
    with pytest.raises(ValueError, match=r"^must be one of free, premium$"):
        parse_value(text, "x" * 99)
    with pytest.raises(ValueError, match=r"^must be at most 4 characters$"):
        parse_value(text, "premium")


def test_length_is_in_characters() -> None:
    """A character beyond ASCII counts once, however many bytes it has."""
    assert parse_value(Param("name", "string", max_length=2), "😀é") == "😀é"


def test_bounds_are_shown_as_a_caller_writes_them() -> None:
    """A date's bound is stated as a date, a timestamp's as a timestamp."""
    day = Param("day", "date", min=parse_literal("date", "2026-01-01"))
    with pytest.raises(ValueError, match=r"^must be at least 2026-01-01$"):
        parse_value(day, "2025-12-31")
    since = Param("since", "timestamp", max=parse_literal("timestamp", "2026-01-01T00:00:00Z"))
    with pytest.raises(ValueError, match=r"^must be at most 2026-01-01T00:00:00Z$"):
        parse_value(since, "2026-01-02T00:00:00Z")


def test_a_list_is_ordered_and_without_repeats() -> None:
    """Each value of a list obeys the param's rules, and a repeat adds nothing."""
    param = Param("plan", "enum", enum=("a", "b"), aliases={"alpha": "a"})
    assert parse_list(param, "b,alpha,a") == ("b", "a")
    with pytest.raises(ValueError, match=r"^must be one of a, b$"):
        parse_list(param, "a,c")


@pytest.mark.parametrize("text", ["", ",", "1,", ",1", "1,,2"])
def test_a_list_has_no_empty_value(text: str) -> None:
    """An empty item is a mistake, not a value."""
    with pytest.raises(ValueError, match=r"without empty values$"):
        parse_list(Param("n", "string"), text)


def test_a_list_has_at_most_100_values() -> None:
    """The hundredth value is taken, the next is not; repeats count."""
    param = Param("n", "integer")
    assert parse_list(param, ",".join(map(str, range(100)))) == tuple(range(100))
    with pytest.raises(ValueError, match=r"^must be a list of at most 100 values$"):
        parse_list(param, ",".join(["1"] * 101))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_timestamp_survives_its_text(moment: datetime) -> None:
    """Every microsecond of the calendar is told apart."""
    text = moment.replace(tzinfo=None).isoformat() + "Z"
    value = parse_literal("timestamp", text)
    assert format_value("timestamp", value) == text


@given(st.dates())
def test_a_date_survives_its_text(day: datetime) -> None:
    """Every day of the calendar has one number."""
    assert format_value("date", parse_literal("date", day.isoformat())) == day.isoformat()


@given(st.sampled_from([kind for kind, _ in REFUSED]), st.text())
def test_any_text_is_taken_or_refused(kind: ParamType, text: str) -> None:
    """No text makes anything but a value or a ValueError."""
    try:
        value = parse_literal(kind, text)
    except ValueError:
        return
    assert parse_literal(kind, format_value(kind, value)) == value


def test_text_can_be_stored() -> None:
    """What counts as text always has UTF-8 bytes."""
    assert is_text("é😀")
    assert not is_text("\0")
    assert not is_text("é\ud800")
