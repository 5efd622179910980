"""The bytes of one part of a segment: a header, aligned buffers, a JSON descriptor.

A part is one file, and later one sealed memory file. All numbers are little endian, as on every
machine this runs on (x86-64, arm64).

    offset            bytes  what
    0                     8  magic `OFFLSEG1`
    8                     4  uint32 format version, FORMAT_VERSION
    12                    4  uint32 reserved, 0
    16                    8  uint64 D: offset of the descriptor, a multiple of 64
    24                    8  uint64 L: length of the descriptor
    32                   16  xxh3-128 of the descriptor's L bytes, as 16 big-endian bytes
    48                   16  xxh3-128 of bytes 0..47, as 16 big-endian bytes
    64                       buffers, each at a multiple of 64, zero padding behind each
    D                     L  descriptor: canonical JSON in UTF-8; the file ends with it

The descriptor's `buffers` lists them in file order, each as
`{"name", "offset", "length", "dtype", "xxh3_128"}`. A buffer's checksum covers its bytes and its
padding, the buffers touch one another, the first starts at 64 and the last ends at D: so every
byte of a file is covered by exactly one checksum, and a part has no byte that is not explained.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xxhash

from offloader.errors import SegmentCorrupt

MAGIC = b"OFFLSEG1"
FORMAT_VERSION = 2
ALIGNMENT = 64
HEADER_BYTES = 64
SLICE_BYTES = 8 << 20
MAX_DESCRIPTOR_BYTES = 64 << 20

_HEADER = struct.Struct("<8sIIQQ16s16s")
_HASHED_HEADER_BYTES = 48
_DTYPE_BYTES = {
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "int32": 4,
    "int64": 8,
    "float64": 8,
}

Buffer = bytes | bytearray | memoryview | mmap.mmap


@dataclass(frozen=True, slots=True)
class Section:
    """One buffer of a part: `length` bytes of `dtype` at `offset`, padding not counted."""

    name: str
    offset: int
    length: int
    dtype: str
    checksum: str

    @property
    def end(self) -> int:
        """Return the offset behind the padding: where the next section starts."""
        return aligned(self.offset + self.length)


def aligned(offset: int) -> int:
    """Round `offset` up to the next multiple of 64."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def canonical_json(value: object) -> bytes:
    """Encode `value` as the one JSON text it has: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_of(value: object) -> str:
    """Return the xxh3-128 hex digest of the canonical JSON of `value`."""
    return str(xxhash.xxh3_128_hexdigest(canonical_json(value)))


def pack_header(descriptor_offset: int, descriptor: bytes) -> bytes:
    """Return the 64 header bytes of a part whose descriptor stands at `descriptor_offset`."""
    digest = xxhash.xxh3_128_digest(descriptor)
    fields = (MAGIC, FORMAT_VERSION, 0, descriptor_offset, len(descriptor), digest)
    head = _HEADER.pack(*fields, b"")[:_HASHED_HEADER_BYTES]
    return head + bytes(xxhash.xxh3_128_digest(head))


def read_descriptor(buffer: Buffer) -> dict[str, Any]:
    """Return the descriptor of a part after checking header, bounds and descriptor checksum.

    The buffers themselves are not read: `verify` does that. Raises SegmentCorrupt (code
    `segment_corrupt`) naming the section.
    """
    with memoryview(buffer) as view:
        offset, length, digest = _read_header(view)
        raw = bytes(view[offset : offset + length])
    if xxhash.xxh3_128_digest(raw) != digest:
        raise corrupt("descriptor", "its checksum differs")
    try:
        descriptor = json.loads(raw)
        _check_tiling(sections(descriptor), offset)
    except (ValueError, KeyError, TypeError) as error:
        raise corrupt("descriptor", "it cannot be understood") from error
    return dict(descriptor)


def sections(descriptor: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the buffers a descriptor lists, in file order."""
    return tuple(
        Section(str(b["name"]), int(b["offset"]), int(b["length"]), b["dtype"], b["xxh3_128"])
        for b in descriptor["buffers"]
    )


def verify(buffer: Buffer) -> None:
    """Compare every byte of a part with its checksum, streaming, without a copy.

    Raises SegmentCorrupt (code `segment_corrupt`) naming the first section that differs.
    """
    descriptor = read_descriptor(buffer)
    with memoryview(buffer) as view:
        for section in sections(descriptor):
            hasher = xxhash.xxh3_128()
            for piece in _slices(view, section.offset, section.end):
                hasher.update(piece)
            if hasher.hexdigest() != section.checksum:
                raise corrupt(section.name, "its checksum differs")


def corrupt(section: str, what: str) -> SegmentCorrupt:
    """Return the error for a `section` of a part that is not what was written."""
    return SegmentCorrupt(
        "segment_corrupt",
        f"section {section!r} of a segment part is damaged: {what}",
        "the part is rebuilt from its snapshot; if it happens again, check the cache volume",
    )


def _slices(view: memoryview, start: int, stop: int) -> Iterator[memoryview]:
    for at in range(start, stop, SLICE_BYTES):
        with view[at : min(at + SLICE_BYTES, stop)] as piece:
            yield piece


def _read_header(view: memoryview) -> tuple[int, int, bytes]:
    if len(view) < HEADER_BYTES:
        raise corrupt("header", "the file is shorter than a header")
    raw = bytes(view[:HEADER_BYTES])
    magic, version, reserved, offset, length, digest, checksum = _HEADER.unpack(raw)
    if xxhash.xxh3_128_digest(raw[:_HASHED_HEADER_BYTES]) != checksum:
        raise corrupt("header", "its checksum differs")
    if magic != MAGIC or version != FORMAT_VERSION or reserved != 0:
        raise corrupt("header", f"it is not a part of format version {FORMAT_VERSION}")
    if offset < HEADER_BYTES or offset % ALIGNMENT or length > MAX_DESCRIPTOR_BYTES:
        raise corrupt("header", "the descriptor's place is impossible")
    if offset + length != len(view):
        raise corrupt("header", f"the file holds {len(view)} bytes, not {offset + length}")
    return offset, length, bytes(digest)


def _check_tiling(found: tuple[Section, ...], descriptor_offset: int) -> None:
    expected = HEADER_BYTES
    for section in found:
        if section.offset != expected or section.length < 0:
            raise ValueError("buffers overlap or leave a hole")
        if section.length % _DTYPE_BYTES[section.dtype]:
            raise ValueError("a buffer ends inside a value")
        expected = section.end
    if expected != descriptor_offset or len({s.name for s in found}) != len(found):
        raise ValueError("buffers do not fill the file")
