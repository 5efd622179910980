"""Accept-Encoding, as RFC 9110 reads it."""

from __future__ import annotations

import pytest

from offloader.query.formats import CSV, JSON
from offloader.service.worker.negotiate import Representation, negotiate


@pytest.mark.parametrize(
    ("sent", "coding"),
    [
        (None, ""),
        ("", ""),
        ("identity", ""),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("deflate, br", ""),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.6", "gzip"),
        ("zstd;q=0.6, gzip;q=0.5", "zstd"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=0", ""),
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=2", ""),
        ("gzip;q=x", ""),
        ("gzip ; q = 0.5 , zstd ; q = 0.4", "gzip"),
        ("gzip, identity", "gzip"),
        ("gzip;q=0.5, identity", ""),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("*", "gzip"),
        ("*;q=0", ""),
        ("*, gzip;q=0", ""),
        ("*;q=0.5, zstd;q=0.4", "gzip"),
        ("*;q=0.5, zstd;q=0.5", "zstd"),
        ("gzip;q=0.5, *", ""),
        ("identity;q=0", ""),
        ("identity;q=0, br", ""),
        ("identity;q=0, *;q=0", ""),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("gzipx, xgzip, gzip2", ""),
    ],
)
def test_the_preferred_coding_is_chosen(sent: str | None, coding: str) -> None:
    """The highest quality, zstd before gzip before none; zstd only by name, none always."""
    assert negotiate(None, sent) == Representation(JSON, coding)


def test_both_headers_count() -> None:
    """The coding does not depend on the format."""
    assert negotiate(CSV, "br, zstd") == Representation(CSV, "zstd")
    assert negotiate(f"{CSV}, {'a/b,' * 60}", f"{'a,' * 60}gzip") == Representation(CSV, "gzip")
