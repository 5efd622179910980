"""Upload what is served and not in the segment store yet: aside, one part after the other.

Nothing waits for it. A store that does not take a part is asked a few more times, then no more
until the next swap.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

from offloader.errors import OffloaderError, SegmentCorrupt
from offloader.segment.layout import read_descriptor, verify
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.counts import load_counts
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.segment_check import digest_of_bytes
from offloader.service.segment_descriptor import PartRef, SharedPart, SharedPartBad
from offloader.service.segment_store import SegmentStore
from offloader.stores.store import StoreDenied

TRIES = 5
FIRST_PAUSE_SECONDS = 2.0
READ_ONLY = "store_read_only"
_SHARED_KINDS = frozenset({"columns", "path", "row_texts"})

Entries = Mapping[str, Mapping[str, Any]]


class Uploading:
    """Shares the parts of served segments; `pause` waits for seconds."""

    def __init__(
        self,
        store: SegmentStore,
        cache: Cache,
        status: SegmentStatus,
        *,
        pause: Callable[[float], object],
    ) -> None:
        self._store = store
        self._cache = cache
        self._status = status
        self._pause = pause
        self._changed = threading.Condition()
        self._waiting: dict[PartRef, None] = {}
        self._there: set[PartRef] = set()
        self._failures = 0
        self._new_bytes: dict[str, list[int]] = {}

    @property
    def waiting(self) -> tuple[PartRef, ...]:
        """The parts that are to be uploaded."""
        with self._changed:
            return tuple(self._waiting)

    def start(self) -> None:
        """Begin to upload, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="share", daemon=True).start()

    def note_fetched(self, came: Mapping[PartRef, bool]) -> None:
        """These came from the store or, though they may have been there once, did not."""
        with self._changed:
            self._there -= came.keys()
            self._there |= {ref for ref, has_come in came.items() if has_come}

    def offer(self, entries: Entries) -> None:
        """Have these datasets' parts uploaded, and nothing that was offered before."""
        refs = {
            PartRef(name, part_id, entry["snapshot"]["manifest_digest"]): None
            for name, entry in entries.items()
            for part_id in entry["parts"]
        }
        with self._changed:
            self._there &= refs.keys()
            self._waiting = {ref: None for ref in refs if ref not in self._there}
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                ref = next(iter(self._waiting))
            self.share(ref)

    def share(self, ref: PartRef) -> None:
        """Upload one part unless it is there; never raises. Waits after a failure."""
        try:
            self._share(ref)
        except FileNotFoundError:  # a newer snapshot took its place in the cache
            self._end([ref])
        except (SharedPartBad, SegmentCorrupt, OSError) as error:
            self._status.count("upload_failed")
            self._status.note_not_shared(ref, _told(error))
            self._end([ref])
        except OffloaderError as error:
            self._status.count("upload_failed")
            self._fail(ref, error)
        except Exception as error:
            log.broke("segment_upload_broke", error)
            self._end([ref])
        else:
            self._failures = 0
            self._status.note_written()
            self._end([ref], is_there=True)
        self._tell(ref.dataset)

    def _tell(self, dataset: str) -> None:
        """Say what of a dataset was uploaded, once no more of it waits."""
        if not any(one.dataset == dataset for one in self.waiting):
            sizes = self._new_bytes.pop(dataset, [])
            if sizes:
                log.event("segments_shared", dataset=dataset, parts=len(sizes), bytes=sum(sizes))

    def _fail(self, ref: PartRef, error: OffloaderError) -> None:
        """Try again later, unless that changes nothing or was done often enough."""
        if isinstance(error, StoreDenied) or error.code == READ_ONLY:
            self._status.note_not_writable(error)
        elif self._failures + 1 < TRIES:
            self._failures += 1
            self._pause(FIRST_PAUSE_SECONDS * 2.0 ** (self._failures - 1))
            return
        else:
            self._status.note_not_shared(ref, error)
        self._failures = 0
        self._end(self.waiting)

    def _share(self, ref: PartRef) -> None:
        with self._cache.part(ref.dataset, ref.part_id).open("rb") as file:
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
                kind = read_descriptor(content)["kind"]
                if kind not in _SHARED_KINDS:
                    return
                if self._store.is_there(ref):
                    self._status.count("present")
                    return
                verify(content)
                shared = self._described(ref, content, has_counts=kind == "columns")
            self._upload(shared, file)

    def _upload(self, shared: SharedPart, file: BinaryIO) -> None:
        result = self._store.put(shared, file)
        is_new = result == "uploaded"
        self._status.count(result, size_bytes=shared.size_bytes if is_new else 0)
        if is_new:
            self._new_bytes.setdefault(shared.ref.dataset, []).append(shared.size_bytes)

    def _described(self, ref: PartRef, content: mmap.mmap, *, has_counts: bool) -> SharedPart:
        counts = load_counts(self._cache, ref.dataset, ref.manifest_digest) if has_counts else None
        return SharedPart(ref, len(content), digest_of_bytes(content), counts)

    def _end(self, refs: Iterable[PartRef], *, is_there: bool = False) -> None:
        with self._changed:
            for ref in refs:
                self._waiting.pop(ref, None)
                if is_there:
                    self._there.add(ref)


def _told(error: OffloaderError | OSError) -> OffloaderError:
    if isinstance(error, OffloaderError):
        return error
    return OffloaderError("cache_not_readable", f"a part cannot be read: {error.strerror}")
