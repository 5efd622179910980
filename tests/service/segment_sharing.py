"""Replicas that share one segment store, and what lies in it, as tests see and change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from dev.emulators.gcs import GcsEmulator
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.segment.access_path import PartPlan
from offloader.service.counts import Counts, save_counts
from offloader.service.generation_document import Document, plan_parts
from offloader.service.reloader.segment_fetch import Fetching
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.reloader.segment_upload import Uploading
from offloader.service.segment_descriptor import PartRef
from offloader.service.segment_store import SegmentStore, segment_location
from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.patient import Patience
from offloader.stores.store import ObjectStore, StoredObject
from tests.service.loaded import loaded

ROWS = 200
COUNTS = Counts(ROWS, {"name": 29, "calls": 67, "extra": 0})
QUICK = Patience(attempts=1)


class Shelf(Protocol):
    """A place for shared parts; names are relative to it."""

    @property
    def place(self) -> str: ...
    @property
    def access(self) -> Access: ...
    def names(self) -> list[str]: ...
    def get(self, name: str) -> bytes: ...
    def put(self, name: str, content: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class FolderShelf:
    """A shelf in a folder."""

    folder: Path

    @property
    def place(self) -> str:
        return str(self.folder)

    @property
    def access(self) -> Access:
        return Access()

    def names(self) -> list[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found)

    def get(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def put(self, name: str, content: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()


@dataclass(frozen=True, slots=True)
class BucketShelf:
    """A shelf below a prefix of a bucket."""

    emulator: GcsEmulator
    bucket: str

    @property
    def place(self) -> str:
        return f"gs://{self.bucket}/shared"

    @property
    def access(self) -> Access:
        return self.emulator.access

    def names(self) -> list[str]:
        keys = self.emulator.keys(self.bucket, "shared/")
        return sorted(key.removeprefix("shared/") for key in keys)

    def get(self, name: str) -> bytes:
        return self.emulator.get(self.bucket, f"shared/{name}")

    def put(self, name: str, content: bytes) -> None:
        self.emulator.put(self.bucket, f"shared/{name}", content)

    def delete(self, name: str) -> None:
        self.emulator.delete(self.bucket, f"shared/{name}")


class Between:
    """Stands before a store; `calls` are (method, key) so far.

    `on_call` may wait or raise, `on_chunk` may change what is read.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.calls: list[tuple[str, str]] = []
        self.on_call: Callable[[str, str], None] = lambda _method, _key: None
        self.on_chunk: Callable[[str, bytes], bytes] = lambda _key, chunk: chunk

    @property
    def url(self) -> str:
        return self._store.url

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(one == method for one, _ in self.calls)

    def stat(self, key: str) -> StoredObject:
        self._call("stat", key)
        return self._store.stat(key)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        self._call("list", prefix)
        return self._store.list(prefix, most=most)

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        self._call("read", found.key)
        return (self.on_chunk(found.key, one) for one in self._store.read(found, start, length))

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        self._call("write", key)
        self._store.write(key, content, size_bytes)

    def _call(self, method: str, key: str) -> None:
        self.calls.append((method, key))
        self.on_call(method, key)


class Replica:
    """One replica of a project of one dataset, `alpha`; its cache is its own.

    `pauses` are the seconds that its uploads waited after failures, `now` is its clock.
    """

    def __init__(self, folder: Path, shelf: Shelf, *, still_seconds: float = 10.0) -> None:
        self.loaded = loaded(folder)
        self.cache = self.loaded.cache
        location = segment_location(shelf.place)
        self.between = Between(Stores(shelf.access, QUICK).at(location))
        self.store = SegmentStore(location, self._opened)
        self.now = 1000.0
        self.pauses: list[float] = []
        self.status = SegmentStatus(location.shown, lambda: self.now)
        self.fetching = Fetching(self.store, self.cache, self.status, still_seconds=still_seconds)
        self.uploading = Uploading(self.store, self.cache, self.status, pause=self.pauses.append)

    def build(self, snapshot_id: str = "s1") -> Document:
        """Publish and build a snapshot, as every replica does alike; return its entry."""
        entry = self.loaded.publish("alpha", snapshot_id, ROWS)
        save_counts(self.cache, "alpha", entry["snapshot"]["manifest_digest"], COUNTS)
        return entry

    def plan(self, entry: Document) -> tuple[Manifest, PartPlan]:
        """Return the manifest and the parts of a snapshot that some replica built."""
        raw = (self.loaded.project.root / "alpha" / "manifest.json").read_bytes()
        manifest = parse_manifest(raw, "manifest.json")
        assert manifest.digest == entry["snapshot"]["manifest_digest"]
        return manifest, plan_parts(self.loaded.project.catalog, "alpha", manifest)

    def share(self, entry: Document) -> None:
        """Upload all that is served and missing in the store."""
        self.uploading.offer({"alpha": entry})
        while waiting := self.uploading.waiting:
            self.uploading.share(waiting[0])

    def lose(self) -> None:
        """Empty the cache, as a new replica's is."""
        for path in self.cache.root.glob("segments/*/*"):
            path.unlink()
        for path in self.cache.root.glob("manifests/*/*.counts"):
            path.unlink()

    def fetch(self, entry: Document) -> set[PartRef]:
        """Fetch what the cache has not; return what came."""
        found = self.fetching.fetch(*self.plan(entry))
        self.uploading.note_fetched(found)
        return {ref for ref, has_come in found.items() if has_come}

    def parts(self) -> dict[str, bytes]:
        """Return the parts in the cache by id, and whatever else lies there."""
        paths = self.cache.root.glob("segments/alpha/*")
        return {path.name: path.read_bytes() for path in paths}

    def counted(self) -> dict[str, int]:
        """Return the results that were counted."""
        told: dict[str, Any] = self.status.document(())
        return {result: count for result, count in told["parts"].items() if count}

    def _opened(self, _: Location) -> ObjectStore:
        return self.between


def refs_of(entry: Document) -> list[PartRef]:
    """Return an entry's parts, the columns part first."""
    digest = entry["snapshot"]["manifest_digest"]
    return [PartRef("alpha", part_id, digest) for part_id in entry["parts"]]


def flip(content: bytes, offset: int) -> bytes:
    """Return bytes of which one differs."""
    spoilt = bytearray(content)
    spoilt[offset] ^= 0x10
    return bytes(spoilt)
