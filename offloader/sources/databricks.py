"""A folder of Databricks output: find its newest commit.

Jobs leave their files, and those of jobs before them, in one folder until a clean-up; only a commit
marker tells which belong together. So a snapshot is what the newest marker adds, nothing else.

Newest is by the store's own times, and what is waited for by one's own clock, so that it does not
matter when the two differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.commit_marker import (
    COMMITTED,
    MAX_MARKER_BYTES,
    CommitUnfinished,
    added_files,
    transaction_of,
)
from offloader.stores.store import ObjectMissing, ObjectStore, StoredObject

MAX_MARKERS = 10_000
MAX_UNFINISHED = 16
UNFINISHED_SECONDS = 600.0
_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed transaction: its id, its marker, and the files it added.

    `key` and `version` are the marker's; `committed_at` is when it was written, in seconds since
    the epoch by the store's clock. `added` are names relative to the marker's folder, sorted.
    """

    tid: str
    key: str
    version: str
    committed_at: float
    added: tuple[str, ...]

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot it is."""
        return f"tid_{self.tid}"

    @property
    def microseconds(self) -> int:
        """When it was committed, as manifests have it: in µs since the epoch."""
        return round(self.committed_at * 1e6)

    @property
    def age(self) -> tuple[float, str]:
        """What orders commits: the later one is larger."""
        return self.committed_at, self.tid

    def as_document(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Commit:
        """Return what `as_document` was made from."""
        return cls(**{**document, "added": tuple(document["added"])})


def newest_commit(
    store: ObjectStore,
    prefix: str,
    *,
    known: Commit | None = None,
    waited_seconds: Callable[[StoredObject], float] = lambda _: 0.0,
) -> Commit:
    """Return the newest commit in a folder of a store; `prefix` is its key, with `/` or without.

    It is one listing of the markers, and a read of the newest unless that is the `known` one, the
    newest when it was looked at before. A marker that is not whole does not count yet, and the one
    before it does; `waited_seconds` tells for how long a marker has been seen as it is.

    Raises SourceUnavailable: `commit_missing`, `commit_unfinished`; SnapshotRefused when the
    newest commit cannot be served, `commit_unreadable` when it was not whole for ten minutes.
    """
    folder = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    markers = _find_markers(store, folder)
    is_older = not markers or (known is not None and _age(markers[0], folder) < known.age)
    if known is not None and is_older and _is_there(store, known):
        return known  # the listing was an old one
    unfinished: CommitUnfinished | None = None
    for marker in markers[:MAX_UNFINISHED]:
        if known is not None and (marker.key, marker.version) == (known.key, known.version):
            return known
        try:
            return _read_commit(store, marker, folder)
        except CommitUnfinished as error:
            if waited_seconds(marker) >= UNFINISHED_SECONDS:
                raise _unreadable(error) from None
            unfinished = unfinished or error
    raise unfinished or _nothing_committed(store, folder)


def _find_markers(store: ObjectStore, folder: str) -> list[StoredObject]:
    """Return the commit markers right in a folder, the newest first."""
    listed = store.list(folder + COMMITTED, most=MAX_MARKERS)
    if len(listed) > MAX_MARKERS:
        message = f"{store.url}/{folder} holds more than {MAX_MARKERS} commit markers"
        raise SnapshotRefused("too_many_commits", message, "have VACUUM remove the old ones")
    markers = [one for one in listed if transaction_of(one.key[len(folder) :])]
    return sorted(markers, key=lambda one: _age(one, folder), reverse=True)


def _age(marker: StoredObject, folder: str) -> tuple[float, str]:
    return marker.modified_at, transaction_of(marker.key[len(folder) :]) or ""


def _is_there(store: ObjectStore, known: Commit) -> bool:
    try:
        return store.stat(known.key).version == known.version
    except ObjectMissing:
        return False


def _read_commit(store: ObjectStore, marker: StoredObject, folder: str) -> Commit:
    name = marker.key[len(folder) :]
    if marker.size_bytes > MAX_MARKER_BYTES:
        message = f"{name} has {marker.size_bytes} bytes"
        hint = "write fewer, larger files: repartition before writing"
        raise SnapshotRefused("commit_too_large", message, hint)
    raw = b"".join(store.read(marker)) if marker.size_bytes else b""
    tid = transaction_of(name) or ""
    return Commit(tid, marker.key, marker.version, marker.modified_at, added_files(raw, name))


def _unreadable(unfinished: CommitUnfinished) -> SnapshotRefused:
    minutes = UNFINISHED_SECONDS / 60
    message = f"{unfinished.message}, for {minutes:.0f} minutes now"
    hint = "run the job again, or remove the marker; the commit before it goes on"
    return SnapshotRefused("commit_unreadable", message, hint)


def _nothing_committed(store: ObjectStore, folder: str) -> SnapshotRefused | SourceUnavailable:
    """Return why there is no commit, as far as the folder's first names tell."""
    names = [one.key[len(folder) :] for one in store.list(folder, most=_LOOKED_AT)]
    place = f"{store.url}/{folder}".rstrip("/")
    if any("=" in name.partition(f"/{COMMITTED}")[0] for name in names if f"/{COMMITTED}" in name):
        message = f"{place} is partitioned: its commits lie in folders by value"
        hint = "write it without partitionBy: the column is not in the files"
        return SnapshotRefused("partitioned_unsupported", message, hint)
    hint = "check bucket and prefix; VACUUM may have removed the marker: run the job again"
    if any(name.startswith("_delta_log/") for name in names):
        hint = "this is a Delta table: have the job write plain Parquet files beside it"
    elif any(name.startswith("_started_") for name in names):
        hint = "a job has begun and not committed yet: it is looked at again"
    return SourceUnavailable("commit_missing", f"{place} holds no commit marker", hint)
