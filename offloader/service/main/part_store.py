"""Main's table of parts: loaded once, verified, sealed, counted; or mapped from the cache.

A part lies in shared memory under its key. One that there is no room for is served from the
cache's file, under another key (`…@file`), so that workers take the sealed one once there is room.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from offloader.errors import OutOfMemoryBudget, SegmentCorrupt
from offloader.segment.layout import verify
from offloader.service.cache import Cache
from offloader.shared.memory import copy_of_file, map_sealed, memory_of, seal

# Left alone when memory is taken: what processes need while they answer, and what a small build
# needs above the 48 MiB below which builds are ended.
SPARE_BYTES = 128 << 20
# Not the file's fault: the same part can be loaded later.
_NO_ROOM = (errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE)
_READ_BYTES = 1 << 20

Where = Literal["shared", "page_cache", "catalog"]


@dataclass(frozen=True, slots=True)
class PartName:
    """One part of a dataset: the file `part_id`, and the key it has in shared memory."""

    dataset: str
    part_id: str
    key: str

    @property
    def file_key(self) -> str:
        """The key under which the cache's file itself is served."""
        return f"{self.key}@file"


@dataclass(frozen=True, slots=True)
class Part:
    """One verified part; the descriptor belongs to the store."""

    key: str
    descriptor: int
    size_bytes: int
    where: Where


class DamagedPart(SegmentCorrupt):
    """A part in the cache is damaged; `dataset` and `part_id` say which."""

    def __init__(self, dataset: str, part_id: str, cause: SegmentCorrupt) -> None:
        super().__init__(cause.code, cause.message, cause.hint)
        self.dataset = dataset
        self.part_id = part_id


def unlimited() -> int:
    """Return more bytes than there are: for who asks only the limit."""
    return sys.maxsize


class PartStore:
    """Verified parts by key. Loads and drops are for one thread at a time.

    `available_bytes` tells how much memory the container really has left.
    """

    def __init__(
        self, cache: Cache, limit_bytes: int, available_bytes: Callable[[], int] = unlimited
    ) -> None:
        self._cache = cache
        self._limit_bytes = limit_bytes
        self._available_bytes = available_bytes
        self._parts: dict[str, Part] = {}

    def __getitem__(self, key: str) -> Part:
        return self._parts[key]

    def __contains__(self, key: str) -> bool:
        return key in self._parts

    def size_bytes(self, where: Where = "shared", keys: Collection[str] | None = None) -> int:
        """Return the bytes that parts take: all that lie there, or those of `keys` among them."""
        parts = (part for part in self._parts.values() if part.where == where)
        return sum(part.size_bytes for part in parts if keys is None or part.key in keys)

    def room_bytes(self) -> int:
        """Return how much more shared memory may be taken: by the limit and by the container."""
        left_bytes = self._limit_bytes - self.size_bytes()
        return max(0, min(left_bytes, self._available_bytes() - SPARE_BYTES))

    def missing_bytes(self, names: Iterable[PartName]) -> int:
        """Return the bytes that loading these parts would take; raises DamagedPart."""
        return sum(self._file_bytes(name) for name in names if name.key not in self._parts)

    def load(self, name: PartName) -> Part:
        """Copy a part into memory, compare every checksum, seal it.

        Raises DamagedPart when a byte differs or the file cannot be read, OSError when memory or
        descriptors are not to be had.
        """
        return self._kept(name, name.key, "shared", self._copied)

    def map(self, name: PartName) -> Part:
        """Open a part in the cache for reading and compare every checksum.

        Raises DamagedPart as `load` does, OutOfMemoryBudget when it cannot be mapped either.
        """
        return self._kept(name, name.file_key, "page_cache", self._opened)

    def keep_content(self, key: str, content: bytes) -> Part:
        """Keep some bytes that workers share and that are no part; raises OSError."""
        if key not in self._parts:
            descriptor = memory_of("offloader-catalog", content)
            self._parts[key] = Part(key, descriptor, len(content), "catalog")
        return self._parts[key]

    def keep_only(self, keys: Collection[str]) -> None:
        """Close every part but these; a process that still maps one keeps its memory alive."""
        self.drop([key for key in self._parts if key not in keys])

    def drop(self, keys: Iterable[str]) -> None:
        """Close these parts; those that are not here are passed over."""
        for key in keys:
            if key in self._parts:
                os.close(self._parts.pop(key).descriptor)

    def _kept(
        self, name: PartName, key: str, where: Where, take: Callable[[PartName], tuple[int, int]]
    ) -> Part:
        if key not in self._parts:
            try:
                descriptor, size_bytes = take(name)
            except SegmentCorrupt as error:
                raise DamagedPart(name.dataset, name.part_id, error) from error
            self._parts[key] = Part(key, descriptor, size_bytes, where)
        return self._parts[key]

    def _file_bytes(self, name: PartName) -> int:
        try:
            return self._cache.part(name.dataset, name.part_id).stat().st_size
        except OSError as error:
            damaged = _unreadable(error)
            raise DamagedPart(name.dataset, name.part_id, damaged) from error

    def _copied(self, name: PartName) -> tuple[int, int]:
        try:
            with self._cache.part(name.dataset, name.part_id).open("rb") as file:
                descriptor, size_bytes = copy_of_file(f"offloader-{name.dataset}", file.fileno())
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            raise _unreadable(error) from error
        try:
            # Sealed first: what is verified can then not change before it is served.
            seal(descriptor)
            _verify(descriptor, size_bytes)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, size_bytes

    def _opened(self, name: PartName) -> tuple[int, int]:
        # A mapped file that becomes shorter is a SIGBUS for its readers. None of us shortens one:
        # a part is replaced and put away by rename, and removed by unlink; the file stays whole.
        try:
            path = self._cache.part(name.dataset, name.part_id)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            raise _unreadable(error) from error
        try:
            size_bytes = _read_through(descriptor)
            _verify(descriptor, size_bytes)
        except OSError as error:
            os.close(descriptor)
            raise _not_mapped(error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, size_bytes


def _verify(descriptor: int, size_bytes: int) -> None:
    if size_bytes == 0:
        raise SegmentCorrupt("segment_corrupt", "the file of a segment part is empty")
    with map_sealed(descriptor) as mapping:
        verify(mapping)


def _read_through(descriptor: int) -> int:
    """Read a file once and return its size; what the disk refuses is an error, not a SIGBUS."""
    piece, size_bytes = bytearray(_READ_BYTES), 0
    try:
        while count := os.preadv(descriptor, [piece], size_bytes):
            size_bytes += count
    except OSError as error:
        raise _unreadable(error) from error
    return size_bytes


def _unreadable(error: OSError) -> SegmentCorrupt:
    what = f"a segment part in the cache cannot be read: {error.strerror or error}"
    return SegmentCorrupt("segment_corrupt", what, "it is built again from its snapshot")


def _not_mapped(error: OSError) -> OutOfMemoryBudget:
    return OutOfMemoryBudget(
        "memory_limit",
        "the snapshots do not fit the memory limit, and the cache's files cannot be mapped"
        f" instead: {error.strerror or error}",
        "raise OFFLOADER_MEMORY_LIMIT and the container's memory, publish less, or put the cache"
        " on a volume whose files can be mapped",
    )


def damaged_parts(cache: Cache, dataset: str, part_ids: Collection[str]) -> list[DamagedPart]:
    """Return what is wrong with each of these parts that is in the cache and damaged."""
    found = []
    for part_id in part_ids:
        store = PartStore(cache, limit_bytes=0)
        try:
            if cache.part(dataset, part_id).exists():
                store.map(PartName(dataset, part_id, part_id))  # takes no memory
        except DamagedPart as error:
            found.append(error)
        except (OSError, OutOfMemoryBudget):
            continue  # it cannot be looked at, which is not its fault
        finally:
            store.keep_only(())
    return found
