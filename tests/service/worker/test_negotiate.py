"""Accept and If-None-Match, as RFC 9110 reads them."""

from __future__ import annotations

import nanoarrow
import pytest

from offloader.errors import RequestError
from offloader.query.formats import ARROW, CSV, FORMATS, JSON, NDJSON
from offloader.service.worker.coding import CODING_VERSIONS
from offloader.service.worker.negotiate import Representation, matches, negotiate

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
        ("application/json; profile=flat", JSON),
        ("text/html, */*;q=0.1", JSON),
        (NDJSON, NDJSON),
        (f"{NDJSON}, {JSON}", JSON),
        (f"{JSON};q=0.5, {NDJSON}", NDJSON),
        (f"{JSON};q=0.5, {NDJSON};q=0.50", JSON),
        (f"{JSON};q=0, */*", NDJSON),
        (f"application/*;q=0.1, {NDJSON};q=0", JSON),
        (f"{JSON} ; q=0.2 , {NDJSON} ; q = 0.3", NDJSON),
        (CSV, CSV),
        ("text/*", CSV),
        ("text/*, */*;q=0.9", CSV),
        ("text/csv; header=present; charset=UTF-8", CSV),
        ('text/csv; charset="utf-8"', CSV),
        ("text/csv; header=absent, */*;q=0.1", JSON),
        (f"{CSV};q=0.9, text/csv;header=present;q=0.1, {NDJSON};q=0.5", NDJSON),
        (f"text/csv;header=present;q=0.1, {CSV};q=0.9, {NDJSON};q=0.5", NDJSON),
        (ARROW, ARROW),
        (f"{ARROW}, {JSON};q=0.9", ARROW),
        (f"application/*;q=0.2, {JSON};q=0, {NDJSON};q=0", ARROW),
        (f"*/*, {JSON};q=0.5", NDJSON),
        (f"*/*, application/*;q=0.5, {ARROW};q=0.7", CSV),
        (f"{CSV};q=1.000, {JSON};q=0.999", CSV),
        (f"{CSV};q=0.001", CSV),
        (f"{CSV}; q=0.4; q=1, {JSON};q=0.5", JSON),
        (f"{JSON};q=0.2, {JSON};q=0.8, {CSV};q=0.5", JSON),
        (f", ,{CSV},,", CSV),
    ],
)
def test_the_preferred_format_is_chosen(accept: str | None, chosen: str) -> None:
    """The highest quality, of the most specific range that matches; ties go to JSON."""
    assert negotiate(accept, None) == Representation(chosen, "")


@pytest.mark.parametrize(
    "accept",
    [
        *("", ",", "text/html", "json", "*", "text", "application/", "a" * 9000),
        *(f"{JSON};q=0", "*/*;q=0", f"{JSON};q=2", f"{JSON};q=x", f"{JSON};q=0.0001"),
        *(f"{JSON};q=-1", f"{JSON};q=", "text/csv;charset=latin-1", "text/csv;header=absent"),
        *("application/vnd.apache.arrow.file", f"{JSON}x", "text/csv+x"),
    ],
)
def test_none_in_common_is_406(accept: str) -> None:
    """A quality that is none counts as 0; the refusal names all there is."""
    with pytest.raises(RequestError) as raised:
        negotiate(accept, "gzip")
    assert (raised.value.status, raised.value.code) == (406, "not_acceptable")
    assert raised.value.message == "send Accept: " + " or ".join(FORMATS)


def test_what_is_too_long_is_read_up_to_its_limit() -> None:
    """64 items or 4096 characters, whichever ends first."""
    assert negotiate("a/b," * 63 + JSON, None).media == JSON
    with pytest.raises(RequestError):
        negotiate("a/b," * 64 + JSON, None)
    assert negotiate(f"a/{'b' * 4000},{JSON}", None).media == JSON
    with pytest.raises(RequestError):
        negotiate(f"a/{'b' * 4093},{JSON}", None)


def test_unusual_headers_do_not_push_usual_answers_wrong() -> None:
    """What is kept of earlier headers never changes an answer."""
    for number in range(1500):
        accept = f"x/{number}, {CSV if number % 2 else ARROW}"
        assert negotiate(accept, None).media == (CSV if number % 2 else ARROW)
    assert negotiate(None, None) == Representation(JSON, "")


@pytest.mark.parametrize(
    ("media", "content_type"),
    [
        (JSON, JSON),
        (NDJSON, NDJSON),
        (CSV, "text/csv; charset=utf-8; header=present"),
        (ARROW, ARROW),
    ],
)
def test_the_content_type_says_how_to_read_it(media: str, content_type: str) -> None:
    """CSV states its charset and its header line (RFC 4180, 3); a coding changes nothing."""
    for coding in ("", "gzip", "zstd"):
        assert Representation(media, coding).content_type == content_type


def test_each_representation_has_a_name_of_its_own() -> None:
    """An ETag made of the name tells every format and coding apart; versions are in it."""
    made = [Representation(media, coding) for media in FORMATS for coding in ("", "gzip", "zstd")]
    assert len({one.name for one in made}) == 12
    assert Representation(JSON, "").name == JSON
    assert Representation(CSV, "gzip").name == f"{CSV} {CODING_VERSIONS['gzip']}"
    versions = f"nanoarrow/{nanoarrow.__version__} {CODING_VERSIONS['zstd']}"
    assert Representation(ARROW, "zstd").name == f"{ARROW} {versions}"


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
