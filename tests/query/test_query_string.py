"""Query strings are read strictly, and a hostile one costs next to nothing."""

from __future__ import annotations

import tracemalloc

import pytest

from offloader.errors import RequestError
from offloader.query.codes import REQUEST_CODES
from offloader.query.query_string import MAX_PAIRS, MAX_QUERY_BYTES, parse_query


def refusal(raw: bytes) -> tuple[int, str, str, str | None]:
    """Return status, family, code and param of a query string's refusal."""
    with pytest.raises(RequestError) as caught:
        parse_query(raw)
    error = caught.value
    assert error.code in REQUEST_CODES
    return error.status, error.family, error.code, error.param


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"", []),
        (b"a=1&b=2", [("a", "1"), ("b", "2")]),
        (b"b=2&a=1", [("b", "2"), ("a", "1")]),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=x+y%2Bz", [("a", "x y+z")]),
        (b"%61=%C3%A9", [("a", "é")]),
        ("a=é".encode(), [("a", "é")]),
        (b"a=%F0%9F%98%80", [("a", "😀")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_pairs_are_decoded_in_the_order_sent(raw: bytes, pairs: list[tuple[str, str]]) -> None:
    """Names and values are percent-decoded, `+` is a space, only `&` separates."""
    assert list(parse_query(raw).items()) == pairs


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        (b"a=%", "bad_query_encoding", None),
        (b"a=%4", "bad_query_encoding", None),
        (b"a=%zz", "bad_query_encoding", None),
        (b"a=%00", "bad_query_encoding", None),
        (b"a=\x00", "bad_query_encoding", None),
        (b"%00=a", "bad_query_encoding", None),
        (b"a=%FF", "bad_query_encoding", None),
        (b"a=\xc3", "bad_query_encoding", None),
        (b"a=%C0%AF", "bad_query_encoding", None),
        (b"a=%ED%A0%80", "bad_query_encoding", None),
        (b"=1", "empty_param_name", None),
        (b"a=1&&b=2", "empty_param_name", None),
        (b"a=1&", "empty_param_name", None),
        (b"a=1&a=2", "repeated_param", "a"),
        (b"a=1&%61=1", "repeated_param", "a"),
        (b"%3Cb%3E=1&%3Cb%3E=2", "repeated_param", None),
    ],
)
def test_what_cannot_be_read_is_a_422(raw: bytes, code: str, param: str | None) -> None:
    """A query string is refused rather than guessed at; only a safe name is repeated back."""
    assert refusal(raw) == (422, "invalid_param", code, param)


def test_one_hundred_parameters_are_the_most() -> None:
    """The pairs are counted before they are split."""
    pieces = [b"p%d=1" % number for number in range(MAX_PAIRS + 1)]
    assert len(parse_query(b"&".join(pieces[:MAX_PAIRS]))) == 100
    assert refusal(b"&".join(pieces)) == (422, "invalid_param", "too_many_params", None)


def test_a_query_string_has_at_most_8_kib() -> None:
    """Length is checked first, and is the URI's fault: 414."""
    assert parse_query(b"a=" + b"x" * (MAX_QUERY_BYTES - 2)) == {"a": "x" * 8190}
    expected = (414, "invalid_request", "uri_too_long", None)
    assert refusal(b"a=" + b"x" * (MAX_QUERY_BYTES - 1)) == expected
    assert refusal(b"x" * 65_536) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"&".join(b"p%d=1" % number for number in range(10_000)),
        b"a" * 65_536,
        b"%41" * 30_000,
        b"&" * 8_192,
        b"a=1&" * 2_048,
        b"=" * 8_192,
        b"\x00" * 8_192,
        b"a=" + b"\xff" * 8_000,
        b"a=" + b"%" * 8_000,
    ],
    ids=["10000-params", "64k", "escapes", "ampersands", "repeats", "equals", "nul", "utf8", "%"],
)
def test_hostile_query_strings_are_refused_in_constant_memory(raw: bytes) -> None:
    """Refusing takes less than 64 KiB, whatever is sent."""
    tracemalloc.start()
    try:
        refusal(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 65_536


def test_no_refusal_repeats_what_was_sent() -> None:
    """A message states the rule, never the value or an unsafe name."""
    for raw in (b"a=%zzsecret", b"secret=1&secret=%00", b"a=secret%FF", b"SECRET=1&SECRET=2"):
        with pytest.raises(RequestError) as caught:
            parse_query(raw)
        assert "secret" not in f"{caught.value} {caught.value.param}".lower()
