"""A bucket in memory that counts what it is asked, and may change or fail meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from offloader.errors import SourceUnavailable
from offloader.stores.location import Location
from offloader.stores.store import StoredObject, changed
from tests.projects import usage_project

PLACE = Location("gs", "bucket", "of/project")


def _nothing(_: object) -> None:
    pass


class HeldBucket:
    """Objects by their names below a project's prefix; `sizes` are told in place of the true ones.

    `lists` counts the calls and `reads` has the names that were read. `before_list` is called with
    the number of each list, `before_read` with the name. A list raises `failure` if there is one.
    """

    url = "gs://bucket"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.lists = 0
        self.reads: list[str] = []
        self.failure: SourceUnavailable | None = None
        self.before_list: Callable[[int], object] = _nothing
        self.before_read: Callable[[str], object] = _nothing

    def put_folder(self, folder: Path) -> None:
        """Make an object out of each file below a folder."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.objects[str(path.relative_to(folder))] = path.read_bytes()

    def stat(self, key: str) -> StoredObject:
        """Nobody asks for it."""
        raise AssertionError(key)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """List all objects, which the prefix must be that of."""
        assert prefix == f"{PLACE.key}/"
        self.lists += 1
        self.before_list(self.lists)
        if self.failure is not None:
            raise self.failure
        return [self._found(name) for name in sorted(self.objects)[: most + 1]]

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield the version that was found, if it is there."""
        name = found.key.removeprefix(f"{PLACE.key}/")
        self.reads.append(name)
        self.before_read(name)
        content = self.objects.get(name, b"")
        if hashlib.sha256(content).hexdigest() != found.version:
            raise changed(self.url, found.key)
        assert (start, length) == (0, None)
        yield content

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Nobody writes."""
        raise AssertionError(key, content, size_bytes)

    def _found(self, name: str) -> StoredObject:
        content = self.objects[name]
        version, checksum = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
        size_bytes = self.sizes.get(name, len(content))
        return StoredObject(f"{PLACE.key}/{name}", size_bytes, version, 0.0, ("md5", checksum))


def usage_bucket(folder: Path) -> HeldBucket:
    """Return a bucket that holds the usage project, its data beside it."""
    bucket = HeldBucket()
    bucket.put_folder(usage_project(folder, rows=10).root)
    return bucket
