"""Accept and If-None-Match, as RFC 9110 reads them."""

from __future__ import annotations

import pytest

from offloader.errors import RequestError
from offloader.service.worker.negotiate import JSON, NDJSON, matches, negotiate

TAG = '"0123"'


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("*/*", JSON),
        (JSON, JSON),
        ("application/*", JSON),
        ("Application/JSON", JSON),
        ("application/json; charset=utf-8", JSON),
        ("text/html, */*;q=0.1", JSON),
        (NDJSON, NDJSON),
        (f"{NDJSON}, {JSON}", JSON),
        (f"{JSON};q=0.5, {NDJSON}", NDJSON),
        (f"{JSON};q=0.5, {NDJSON};q=0.50", JSON),
        (f"{JSON};q=0, */*", NDJSON),
        (f"application/*;q=0.1, {NDJSON};q=0", JSON),
        (f"{JSON} ; q=0.2 , {NDJSON} ; q = 0.3", NDJSON),
    ],
)
def test_the_preferred_representation_is_chosen(accept: str | None, chosen: str) -> None:
    """The highest quality of the most specific range; ties go to JSON."""
    assert negotiate(accept) == chosen


@pytest.mark.parametrize(
    "accept",
    ["text/html", f"{JSON};q=0", "*/*;q=0", f"{JSON};q=2", f"{JSON};q=x", "json", ",", "a" * 9000],
)
def test_none_in_common_is_406(accept: str) -> None:
    """A quality that is none counts as 0; the refusal names what there is."""
    with pytest.raises(RequestError) as raised:
        negotiate(accept)
    assert (raised.value.status, raised.value.code) == (406, "not_acceptable")
    assert JSON in raised.value.message
    assert NDJSON in raised.value.message


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (" * ", True),
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"a", {TAG}', True),
        (f'W/"a",W/{TAG},"b"', True),
        ('"01234"', False),
        ("0123", False),
        ('w/"0123"', False),
        (f'"*", {TAG[:-1]}', False),
        (",,,", False),
    ],
)
def test_if_none_match_compares_weakly(sent: str | None, expected: bool) -> None:
    """Lists, `W/` and `*`; anything else matches nothing."""
    assert matches(sent, TAG) is expected
