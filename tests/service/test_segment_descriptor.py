"""Descriptors of shared parts: written in one way, and read with nothing left open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.segment.layout import FORMAT_VERSION
from offloader.service.counts import Counts
from offloader.service.segment_descriptor import (
    PartRef,
    SharedPart,
    SharedPartBad,
    parse_shared_part,
)

REF = PartRef("usage", "a" * 32, "b" * 32)
SHARED = SharedPart(REF, 7104, "c" * 32, Counts(30, {"region": 4}, {"tenant,day": 2}))


def test_what_is_written_is_read() -> None:
    """With counts, as the columns part has them, and without."""
    assert parse_shared_part(SHARED.encode(), REF, "x") == SHARED
    plain = SharedPart(REF, 64, "d" * 32)
    assert parse_shared_part(plain.encode(), REF, "x") == plain
    assert json.loads(plain.encode()) == {
        "format": FORMAT_VERSION,
        "dataset": "usage",
        "part_id": "a" * 32,
        "manifest_digest": "b" * 32,
        "size_bytes": 64,
        "xxh3_128": "d" * 32,
        "counts": None,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"format": FORMAT_VERSION + 1},
        {"dataset": "billing"},
        {"part_id": "e" * 32},
        {"manifest_digest": "e" * 32},
        {"size_bytes": 63},
        {"size_bytes": 7104.0},
        {"size_bytes": True},
        {"size_bytes": 1 << 43},
        {"xxh3_128": "C" * 32},
        {"xxh3_128": "c" * 31},
        {"xxh3_128": None},
        {"counts": []},
        {"counts": {"row_count": 30, "null_counts": {}}},
        {"counts": {"row_count": -1, "null_counts": {}, "duplicate_keys": {}}},
        {"counts": {"row_count": 1, "null_counts": {"a": "0"}, "duplicate_keys": {}}},
        {"counts": {"row_count": 1, "null_counts": {}, "duplicate_keys": [1]}},
        {"object": "elsewhere.part"},
    ],
)
def test_what_names_anything_else_is_refused(change: dict[str, Any]) -> None:
    """Another part, a number or digest that cannot be, a field that is not known."""
    document = {**json.loads(SHARED.encode()), **change}
    refused(json.dumps(document).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"a":1,"a":1}', b"[" * 99])
def test_what_is_no_descriptor_is_refused(raw: bytes) -> None:
    """Half a document, or none."""
    refused(raw)


def test_a_missing_field_is_refused() -> None:
    """Every field is needed."""
    document = json.loads(SHARED.encode())
    for field in document:
        refused(json.dumps({name: document[name] for name in document if name != field}).encode())


def refused(raw: bytes) -> None:
    with pytest.raises(SharedPartBad) as error:
        parse_shared_part(raw, REF, "gs://bucket/x.json")
    assert error.value.code == "shared_part_corrupt"
    assert "gs://bucket/x.json" in error.value.message
    assert error.value.hint
