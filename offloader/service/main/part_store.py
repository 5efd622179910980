"""Main's table of parts in shared memory: loaded once, verified, sealed, counted."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from dataclasses import dataclass

from offloader.errors import OutOfMemoryBudget, SegmentCorrupt
from offloader.segment.layout import verify
from offloader.service.cache import Cache
from offloader.shared.memory import copy_of_file, map_sealed, seal

# Not the file's fault: the same part can be loaded later.
_NO_ROOM = (errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed part; the descriptor belongs to the store."""

    part_id: str
    descriptor: int
    size_bytes: int


class DamagedPart(SegmentCorrupt):
    """A part in the cache is damaged; `dataset` and `part_id` say which."""

    def __init__(self, dataset: str, part_id: str, cause: SegmentCorrupt) -> None:
        super().__init__(cause.code, cause.message, cause.hint)
        self.dataset = dataset
        self.part_id = part_id


class PartStore:
    """Sealed parts by id. Not for two threads at once."""

    def __init__(self, cache: Cache, limit_bytes: int) -> None:
        self._cache = cache
        self._limit_bytes = limit_bytes
        self._parts: dict[str, Part] = {}

    def __getitem__(self, part_id: str) -> Part:
        return self._parts[part_id]

    @property
    def size_bytes(self) -> int:
        """The bytes of shared memory in use."""
        return sum(part.size_bytes for part in self._parts.values())

    def missing_bytes(self, dataset: str, part_ids: Collection[str]) -> int:
        """Return the bytes that loading these parts would take; raises DamagedPart."""
        missing = (part_id for part_id in part_ids if part_id not in self._parts)
        return sum(self._file_bytes(dataset, part_id) for part_id in missing)

    def check_room(self, wanted_bytes: int) -> None:
        """Raise OutOfMemoryBudget (`memory_limit`) when this many more bytes do not fit."""
        total = self.size_bytes + wanted_bytes
        if total > self._limit_bytes:
            raise OutOfMemoryBudget(
                "memory_limit",
                f"{total >> 20} MiB of snapshots do not fit the limit of"
                f" {self._limit_bytes >> 20} MiB",
                "raise OFFLOADER_MEMORY_LIMIT and the container's memory, or publish less",
            )

    def load(self, dataset: str, part_id: str) -> Part:
        """Copy a part into memory, compare every checksum, seal it.

        Raises DamagedPart when a byte differs or the file cannot be read, OSError when memory or
        descriptors are not to be had.
        """
        if part_id not in self._parts:
            try:
                self._parts[part_id] = self._loaded(dataset, part_id)
            except SegmentCorrupt as error:
                raise DamagedPart(dataset, part_id, error) from error
        return self._parts[part_id]

    def _file_bytes(self, dataset: str, part_id: str) -> int:
        try:
            return self._cache.part(dataset, part_id).stat().st_size
        except OSError as error:
            raise DamagedPart(dataset, part_id, _unreadable(error)) from error

    def _loaded(self, dataset: str, part_id: str) -> Part:
        try:
            with self._cache.part(dataset, part_id).open("rb") as file:
                descriptor, size_bytes = copy_of_file(f"offloader-{dataset}", file.fileno())
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            raise _unreadable(error) from error
        try:
            # Sealed first: what is verified can then not change before it is served.
            seal(descriptor)
            if size_bytes == 0:
                raise _empty()
            with map_sealed(descriptor) as mapping:
                verify(mapping)
        except BaseException:
            os.close(descriptor)
            raise
        return Part(part_id, descriptor, size_bytes)

    def keep_only(self, part_ids: Collection[str]) -> None:
        """Close every part but these; a process that still maps one keeps its memory alive."""
        for part_id in [p for p in self._parts if p not in part_ids]:
            os.close(self._parts.pop(part_id).descriptor)


def _empty() -> SegmentCorrupt:
    return SegmentCorrupt("segment_corrupt", "the file of a segment part is empty")


def _unreadable(error: OSError) -> SegmentCorrupt:
    what = f"a segment part in the cache cannot be read: {error.strerror or error}"
    return SegmentCorrupt("segment_corrupt", what, "it is built again from its snapshot")


def damaged_parts(cache: Cache, dataset: str, part_ids: Collection[str]) -> list[DamagedPart]:
    """Return what is wrong with each of these parts that is in the cache and damaged.

    Parts that memory is not to be had for are passed over.
    """
    found = []
    for part_id in part_ids:
        store = PartStore(cache, limit_bytes=0)
        try:
            if cache.part(dataset, part_id).exists():
                store.load(dataset, part_id)
        except DamagedPart as error:
            found.append(error)
        except OSError:
            continue
        finally:
            store.keep_only(())
    return found
