"""A store in memory that does to its answers what a test wants."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import BinaryIO

from offloader.stores.store import READ_BYTES, StoredObject, changed, missing

Answer = Callable[[StoredObject, int, bytes], Iterator[bytes]]


def as_asked(_found: StoredObject, _start: int, content: bytes) -> Iterator[bytes]:
    """Answer a range with its bytes."""
    for begin in range(0, len(content), READ_BYTES):
        yield content[begin : begin + READ_BYTES]


class HeldStore:
    """Objects by key; `answer` makes the body of each read, `reads` are (start, length) so far."""

    url = "held://store"

    def __init__(self, objects: Mapping[str, bytes], answer: Answer = as_asked) -> None:
        self.objects = dict(objects)
        self.answer = answer
        self.reads: list[tuple[int, int]] = []
        self._lock = Lock()

    def stat(self, key: str) -> StoredObject:
        """Look up; the version is the SHA-256, the store's checksum the MD5."""
        if key not in self.objects:
            raise missing(self.url, key)
        content = self.objects[key]
        version, checksum = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
        return StoredObject(key, len(content), version, 0.0, ("md5", checksum))

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """List by key."""
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        return [self.stat(key) for key in keys[: most + 1]]

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Answer a range of the version that was found."""
        content = self.objects.get(found.key, b"")
        if hashlib.sha256(content).hexdigest() != found.version:
            raise changed(self.url, found.key)
        end = found.size_bytes if length is None else start + length
        with self._lock:
            self.reads.append((start, end - start))
        yield from self.answer(found, start, content[start:end])

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Keep an object."""
        self.objects[key] = content.read(size_bytes)
