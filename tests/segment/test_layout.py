"""Every byte of a part is covered by a checksum, and nothing damaged is ever understood."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.errors import SegmentCorrupt
from offloader.segment.layout import (
    ALIGNMENT,
    HEADER_BYTES,
    canonical_json,
    pack_header,
    read_descriptor,
    sections,
    verify,
)
from offloader.segment.read import open_segment
from tests.segment.tables import build_files, table


def _flipped(part: bytes, byte: int, bit: int = 0) -> bytes:
    damaged = bytearray(part)
    damaged[byte] ^= 1 << bit
    return bytes(damaged)


def _part(descriptor: Mapping[str, object], buffers: bytes = b"") -> bytes:
    raw = canonical_json(descriptor)
    return pack_header(HEADER_BYTES + len(buffers), raw) + buffers + raw


def _buffer(offset: int, length: int, **fields: Any) -> dict[str, Any]:
    digest = xxhash.xxh3_128_hexdigest(bytes(64))
    defaults = {"name": "a.values", "dtype": "uint8", "xxh3_128": digest}
    return {**defaults, "offset": offset, "length": length, **fields}


@pytest.fixture(scope="module")
def small_part(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A part of under 2 KiB."""
    source = table("a VARCHAR, b BIGINT", [("x", 1), (None, 2), ("y", None)], "a")
    _, targets = build_files(tmp_path_factory.mktemp("part"), source)
    return targets.columns.read_bytes()


@pytest.mark.parametrize("which", ["columns", "path", "texts"])
def test_what_was_written_verifies(parts: dict[str, bytes], which: str) -> None:
    """A part straight from the builder passes, from bytes and from a view alike."""
    verify(parts[which])
    verify(memoryview(parts[which]))


@pytest.mark.parametrize("which", ["columns", "path", "texts"])
def test_a_flipped_bit_is_found_in_every_section(parts: dict[str, bytes], which: str) -> None:
    """One flipped bit in a buffer, at either end, is an error that names the buffer."""
    part = parts[which]
    found = [s for s in sections(read_descriptor(part)) if s.length]
    assert len(found) == {"columns": 28, "path": 2, "texts": 3}[which]
    for section in found:
        for byte in (section.offset, section.offset + section.length - 1):
            with pytest.raises(SegmentCorrupt, match=repr(section.name)) as caught:
                verify(_flipped(part, byte))
            assert caught.value.code == "segment_corrupt"


def test_a_flipped_bit_is_found_in_every_padding(parts: dict[str, bytes]) -> None:
    """Padding is covered by the checksum of the buffer before it."""
    part = parts["columns"]
    padded = [s for s in sections(read_descriptor(part)) if s.end > s.offset + s.length]
    assert padded
    for section in padded:
        with pytest.raises(SegmentCorrupt, match=repr(section.name)):
            verify(_flipped(part, section.end - 1, bit=7))


def test_a_flipped_bit_is_found_in_header_and_descriptor(parts: dict[str, bytes]) -> None:
    """Every bit of the header counts, and every byte of the descriptor."""
    part = parts["columns"]
    for byte in range(HEADER_BYTES):
        for bit in range(8):
            with pytest.raises(SegmentCorrupt, match="'header'"):
                verify(_flipped(part, byte, bit))
    (start,) = struct.unpack_from("<Q", part, 16)
    for byte in range(start, len(part)):
        with pytest.raises(SegmentCorrupt, match="'descriptor'"):
            verify(_flipped(part, byte))


@settings(max_examples=300)
@given(place=st.integers(0, 2**20), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_anywhere(small_part: bytes, place: int, bit: int) -> None:
    """There is no bit of a part whose change goes unnoticed."""
    with pytest.raises(SegmentCorrupt):
        verify(_flipped(small_part, place % len(small_part), bit))


def test_a_truncated_part_is_found(small_part: bytes) -> None:
    """A part cut at any length is refused, by opening as well as by verifying."""
    for length in range(len(small_part)):
        for read in (verify, open_segment):
            with pytest.raises(SegmentCorrupt):
                read(small_part[:length])


@pytest.mark.parametrize("more", [1, 64, 5000])
def test_an_extended_part_is_found(small_part: bytes, more: int) -> None:
    """Bytes behind the descriptor are refused."""
    with pytest.raises(SegmentCorrupt, match="'header'"):
        verify(small_part + bytes(more))


@pytest.mark.parametrize(
    "buffers",
    [
        pytest.param([_buffer(128, 64)], id="a hole before the first"),
        pytest.param([_buffer(64, 128)], id="more than the file holds"),
        pytest.param([_buffer(64, 0)], id="bytes that no buffer explains"),
        pytest.param([_buffer(64, 64), _buffer(64, 64, name="b")], id="two on one place"),
        pytest.param([_buffer(64, 63, dtype="uint32")], id="half a value"),
        pytest.param([_buffer(64, 64, dtype="complex64")], id="an unknown dtype"),
        pytest.param([_buffer(64, -64)], id="a negative length"),
        pytest.param([_buffer(64, 64), _buffer(128, 0)], id="one name twice"),
        pytest.param([{"name": "a.values"}], id="missing fields"),
        pytest.param(None, id="no list"),
    ],
)
def test_impossible_buffers_are_refused(buffers: object) -> None:
    """A descriptor with good checksums but impossible buffers is damaged, not trusted."""
    with pytest.raises(SegmentCorrupt, match="'descriptor'"):
        read_descriptor(_part({"buffers": buffers}, bytes(64)))


def test_another_format_version_is_refused(small_part: bytes) -> None:
    """A header of another version is refused even though its checksum is right."""
    head = bytearray(small_part[:48])
    head[8] += 1
    other = bytes(head) + xxhash.xxh3_128_digest(bytes(head)) + small_part[64:]
    with pytest.raises(SegmentCorrupt, match="format version 2"):
        read_descriptor(other)


def test_the_layout_is_what_the_format_says(parts: dict[str, bytes]) -> None:
    """Magic, little-endian numbers and aligned offsets stand where the format puts them."""
    part = parts["columns"]
    magic, version, reserved, start, length = struct.unpack_from("<8sIIQQ", part)
    assert (magic, version, reserved) == (b"OFFLSEG1", 2, 0)
    assert start + length == len(part)
    descriptor = json.loads(part[start:])
    assert canonical_json(descriptor) == part[start:]
    assert all(b["offset"] % ALIGNMENT == 0 for b in descriptor["buffers"])
    calls = next(b for b in descriptor["buffers"] if b["name"] == "calls.values")
    stored = np.frombuffer(part, "<i8", calls["length"] // 8, calls["offset"])
    assert stored.tolist() == [7, 0, 1, 5, 2**62]


def test_parts_of_two_segments_do_not_open_together(parts: dict[str, bytes]) -> None:
    """A path part over other rows is refused."""
    head = read_descriptor(parts["path"])
    other = _part({**head, "buffers": [], "row_count": 6})
    with pytest.raises(SegmentCorrupt, match="row_count differs"):
        open_segment(parts["columns"], [other])
