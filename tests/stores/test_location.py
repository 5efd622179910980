"""Locations: texts into values and back."""

from __future__ import annotations

import pytest

from offloader.errors import ConfigError
from offloader.stores.location import MAX_URL_CHARACTERS, Location, parse_url

MANIFEST = Location("gs", "bucket", "usage/manifest.json")
SIGNED = parse_url("https://host/usage/manifest.json?sig=secret")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gs://bucket", Location("gs", "bucket", "")),
        ("gs://bucket/", Location("gs", "bucket", "")),
        ("s3://my.bucket/a b/c", Location("s3", "my.bucket", "a b/c")),
        ("gs://bucket/a?b#c%20d", Location("gs", "bucket", "a?b#c%20d")),
        ("gs://bucket//a", Location("gs", "bucket", "/a")),
        ("https://Host.Example:8443/A%20b", Location("https", "host.example:8443", "A%20b")),
        ("https://host/a?b=c#d", Location("https", "host", "a?b=c")),
        ("https://[::1]:8443/a", Location("https", "[::1]:8443", "a")),
    ],
)
def test_a_url_is_root_and_key(text: str, expected: Location) -> None:
    """Keys of buckets are taken as they are; an https key stays encoded, without a fragment."""
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gs:/bucket/a",
        "gs:///a",
        "GS://bucket/a",
        "http://host/a",
        "file:///etc/passwd",
        "https://user:word@host/a",
        "https://host:0/a",
        "https://host:99999/a",
        "https://[::1/a",
        "https://host?a=b",
        "gs://bucket:80/a",
        "gs://bucket/a\nb",
        "gs://bucket/\0",
        "gs://b/" + "a" * MAX_URL_CHARACTERS,
    ],
)
def test_what_is_no_such_url_is_refused(text: str) -> None:
    """Other schemes, logins, bad ports and control characters are refused, without a quotation."""
    with pytest.raises(ConfigError) as raised:
        parse_url(text)
    assert [problem.code for problem in raised.value.problems] == ["url_invalid"]
    assert "word" not in str(raised.value.problems[0])


@pytest.mark.parametrize("text", ["gs://bucket", "s3://b/a b#?%", "https://h:1/a?b=c"])
def test_a_location_is_its_text(text: str) -> None:
    """The text of a location is parsed into the same location."""
    assert str(parse_url(text)) == text
    assert parse_url(str(parse_url(text))) == parse_url(text)


def test_a_file_is_its_path() -> None:
    """The text of a file's location is its path."""
    assert str(Location("file", "/srv/data", "a/b")) == "/srv/data/a/b"
    assert str(Location("file", "/", "srv/a")) == "/srv/a"
    assert not Location("file", "/", "a").is_remote
    assert MANIFEST.is_remote


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("part.parquet", "gs://bucket/usage/part.parquet"),
        ("./a/./part.parquet", "gs://bucket/usage/a/part.parquet"),
        ("s3://other/part.parquet", "s3://other/part.parquet"),
    ],
)
def test_a_manifest_names_what_lies_beside_it(path: str, expected: str) -> None:
    """A relative path is relative to the manifest's folder; a URL is itself."""
    assert str(MANIFEST.beside(path)) == expected


def test_a_manifest_at_the_top_has_neighbours() -> None:
    """A manifest at a bucket's root names files at its root."""
    assert Location("gs", "bucket", "manifest.json").beside("a") == Location("gs", "bucket", "a")


def test_below_is_in_a_folder() -> None:
    """A place below a prefix is in it, whether or not the prefix ends with a slash."""
    for prefix, key in (("", "a/b"), ("p", "p/a/b"), ("p/q/", "p/q/a/b")):
        assert Location("s3", "bucket", prefix).below("a/b").key == key


def test_a_query_is_never_shown_or_passed_on() -> None:
    """The query of an https URL may be a signature: it is asked with, not shown, not inherited."""
    assert str(SIGNED) == "https://host/usage/manifest.json?sig=secret"
    assert SIGNED.shown == "https://host/usage/manifest.json"
    assert SIGNED.name == "manifest.json"
    assert str(SIGNED.beside("part.csv")) == "https://host/usage/part.csv"
    assert Location("gs", "bucket", "a?b").shown == "gs://bucket/a?b"
    assert Location("gs", "bucket", "x/a?b").name == "a?b"
