"""The board: the reloader's status document, which every worker can read at any time.

Two halves, of which one is current. Each: uint64 length, 16 bytes of xxh3-128, then the bytes. The
writer fills the other half and then flips one word, so a writer that is killed at any moment
leaves a whole document; a reader that was overtaken twice while copying sees it by the checksum.
"""

from __future__ import annotations

import struct

import xxhash

BOARD_BYTES = 8 << 20
_HALF_BYTES = BOARD_BYTES // 2 - 64
_HEAD = struct.Struct("<Q16s")
_MOST_BYTES = _HALF_BYTES - _HEAD.size
_TRIES = 5


class Board:
    """A view of the board's memory: one process writes, all may read."""

    def __init__(self, memory: memoryview) -> None:
        self._current = memory[:8].cast("Q")
        self._halves = (
            memory[64 : 64 + _HALF_BYTES],
            memory[64 + _HALF_BYTES : 64 + 2 * _HALF_BYTES],
        )

    def write(self, document: bytes) -> None:
        """Replace the document; raises ValueError above about 4 MiB."""
        if len(document) > _MOST_BYTES:
            raise ValueError(f"a status of {len(document)} bytes does not fit the board")
        other = 1 - (self._current[0] & 1)
        half = self._halves[other]
        _HEAD.pack_into(half, 0, len(document), xxhash.xxh3_128_digest(document))
        half[_HEAD.size : _HEAD.size + len(document)] = document
        self._current[0] = other

    def read(self) -> bytes:
        """Return the current document; empty before the first, or when it cannot be had whole."""
        for _ in range(_TRIES):
            half = self._halves[self._current[0] & 1]
            length, digest = _HEAD.unpack_from(half, 0)
            if length > _MOST_BYTES:
                continue
            document = bytes(half[_HEAD.size : _HEAD.size + length])
            if length == 0 or xxhash.xxh3_128_digest(document) == digest:
                return document
        return b""
