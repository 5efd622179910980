"""The response cache of one worker: finished bodies by ETag, the least recently used go first.

An ETag covers everything a body is a function of, so an entry is never wrong, only unused: it goes
when there is no room for it, or when its snapshot is no longer served.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

# What an entry takes beside its body, on 64-bit CPython: two objects, their place in the
# dictionary and its free places, the ETag, the owner, the headers of the bytes.
ENTRY_BYTES = 640
_MOST_OF_LIMIT = 8

Owner = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished body and what must be said of it; `coding` is its content coding, or empty."""

    body: bytes
    content_type: str
    coding: str


@dataclass(frozen=True, slots=True)
class _Entry:
    kept: Kept
    owner: Owner
    manifest_digest: str
    size_bytes: int


class ResponseCache:
    """Finished bodies, bounded in bytes; a limit of 0 keeps none.

    An owner is the endpoint's name and the key's tenant. It is compared at each hit: an ETag is no
    cryptographic digest, and a caller who makes one collide must not be given another's body.
    All of it may be used by several threads at once.
    """

    __slots__ = ("_entries", "_live", "_lock", "is_on", "limit_bytes", "number", "size_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.is_on = limit_bytes > 0
        self.size_bytes = 0
        self.number = 0
        self._live: frozenset[str] = frozenset()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, etag: str, owner: Owner) -> Kept | None:
        """Return the body kept under an ETag for this owner, None when there is none."""
        try:
            entry = self._entries[etag]
            self._entries.move_to_end(etag)
        except KeyError:  # also when another thread's `put` has made room with it in between
            return None
        return entry.kept if entry.owner == owner else None

    def put(self, etag: str, owner: Owner, manifest_digest: str, kept: Kept) -> None:
        """Keep a body; the least recently used make room.

        One that is larger than an eighth of the limit, or of a snapshot that is no longer served,
        is not kept.
        """
        size_bytes = len(kept.body) + ENTRY_BYTES
        if size_bytes * _MOST_OF_LIMIT > self.limit_bytes:
            return
        with self._lock:
            if manifest_digest not in self._live:
                return
            self._remove(etag)
            self._entries[etag] = _Entry(kept, owner, manifest_digest, size_bytes)
            self.size_bytes += size_bytes
            while self.size_bytes > self.limit_bytes:
                _, oldest = self._entries.popitem(last=False)
                self.size_bytes -= oldest.size_bytes

    def begin_generation(self, number: int, manifest_digests: Collection[str]) -> None:
        """Keep from now on only bodies of these snapshots, those generation `number` answers from.

        An older generation than the last one changes nothing.
        """
        with self._lock:
            if number <= self.number:
                return
            self.number = number
            self._live = frozenset(manifest_digests)
            for etag, entry in list(self._entries.items()):
                if entry.manifest_digest not in self._live:
                    self._remove(etag)

    def _remove(self, etag: str) -> None:
        entry = self._entries.pop(etag, None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes
