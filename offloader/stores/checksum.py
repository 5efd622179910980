"""Checksums of files and of what arrives, streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import google_crc32c
import xxhash

_CHUNK_BYTES = 4 * 2**20


class Hash(Protocol):
    """A checksum under way."""

    def update(self, chunk: bytes, /) -> object:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the checksum of the bytes so far, most significant byte first."""


_ALGORITHMS: dict[str, Callable[[], Hash]] = {
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32c": google_crc32c.Checksum,
    "xxh3_128": xxhash.xxh3_128,
}


def new_hash(algorithm: str) -> Hash:
    """Begin a checksum of sha256, crc32c, md5 or xxh3_128. Raises KeyError for another."""
    return _ALGORITHMS[algorithm]()


def file_checksum(path: Path, algorithm: str) -> str:
    """Return the lowercase hex checksum of a file's bytes; crc32c as 8 big-endian hex digits.

    `algorithm` is one of sha256, crc32c, md5, xxh3_128. Raises KeyError for another, OSError.
    """
    found = new_hash(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.digest().hex()
