"""The entries of a manifest's `files`: paths, checksums, numbers."""

from __future__ import annotations

from typing import Any

import pytest

from offloader.catalog.manifest import ManifestInvalid
from tests.catalog.manifests import file, parse, places_of, valid


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "path_invalid"),
        ("a\\b", "path_invalid"),
        ("a\x00", "path_invalid"),
        ("a\nb", "path_invalid"),
        ("a" * 1025, "path_invalid"),
        ("/etc/passwd", "path_absolute"),
        ("../a.parquet", "path_leaves_project"),
        ("a/../../b", "path_leaves_project"),
        ("s3://bucket/../b", "path_leaves_project"),
        ("http://host/a", "url_unsupported"),
        ("file:///etc/passwd", "url_unsupported"),
        ("https://user:secret@host/a", "url_unsupported"),
        ("gs://bucket", "url_unsupported"),
    ],
)
def test_an_unsafe_path_is_refused(path: str, code: str) -> None:
    """A file's path stays below the manifest; a URL is one of an object store or HTTPS."""
    assert places_of(valid(files=[file(path, 3, 30)])) == [("files[0].path", code)]


@pytest.mark.parametrize(
    "path",
    ["a.parquet", "./a", "a/b c/é..parquet", "gs://b/k", "https://h:8443/a?sig=x", "day=1/a"],
)
def test_a_safe_path_is_kept_as_written(path: str) -> None:
    """Folders, spaces, unicode and signed URLs are fine."""
    assert parse(valid(files=[file(path, 3, 30)])).files[0].path == path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://user:hidden@host/a?b", '"https://host/a" is not allowed'),
        ("ftp://host/a?sig=hidden", '"ftp://host/a" is not allowed'),
        ("what?/../a", '"what?/../a" is not allowed'),
    ],
)
def test_no_secret_of_a_url_is_told(path: str, message: str) -> None:
    """A login or a signature is left out where a URL is named."""
    with pytest.raises(ManifestInvalid) as caught:
        parse(valid(files=[file(path, 3, 30)]))
    assert [problem.message for problem in caught.value.problems] == [message]


def test_a_file_is_listed_once() -> None:
    """The same file under two spellings would count its rows twice."""
    files = [file("a/b", 2, 20), file("./a//b", 1, 10)]
    assert places_of(valid(files=files)) == [("files[1].path", "duplicate_file")]


@pytest.mark.parametrize(
    ("checksums", "problem"),
    [
        ({"sha256": "ab"}, ("sha256", "checksum_invalid")),
        ({"md5": "g" * 32}, ("md5", "checksum_invalid")),
        ({"crc32c": 5}, ("crc32c", "checksum_invalid")),
        ({"crc32c": "00000000", "md5": "0" * 32}, ("md5", "checksum_ambiguous")),
    ],
)
def test_a_checksum_has_its_form(checksums: dict[str, Any], problem: tuple[str, str]) -> None:
    """At most one checksum, hexadecimal and of its algorithm's length."""
    place, code = problem
    assert places_of(valid(files=[file("a", 3, 30, **checksums)])) == [(f"files[0].{place}", code)]


def test_files_are_checked_one_by_one() -> None:
    """Every broken entry is reported, not only the first."""
    files = [file("a", -1, 30, format="orc"), "b", {"path": 5}]
    assert places_of(valid(files=files)) == [
        ("files[0].format", "not_a_choice"),
        ("files[0].row_count", "out_of_range"),
        ("files[1]", "wrong_type"),
        ("files[2].format", "missing_key"),
        ("files[2].path", "wrong_type"),
        ("files[2].row_count", "missing_key"),
        ("files[2].size_bytes", "missing_key"),
    ]
