"""Revisions of a project on the cache volume, and which of them was in effect last.

    config/<digest of the place>/<revision>/files/…    the project's files, as they were fetched
    config/<digest of the place>/<revision>/record     the list they stood in, and when
    config/<digest of the place>/current               the revision to fall back on

A revision is named by the digest of its files' names and bytes, which is compared before it is
used. Replicas that share a volume and a project share all of it. The files hold the hashes of keys
(never tokens), so others than the service's user may not enter the folder.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import xxhash

from offloader.catalog.project import PROJECT_FILE
from offloader.catalog.project_files import fingerprint as files_digest
from offloader.segment.temporary import TEMPORARY_GLOB, remove_abandoned
from offloader.service.cache import DIGEST, disk_error, folders_in, write_whole
from offloader.service.config.selection import Layout, Objects, fingerprint, layout_of
from offloader.stores.location import Location

KEPT_REVISIONS = 3  # beside the one in effect
_ABANDONED_SECONDS = 3600.0
_MOST_RECORD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Revision:
    """A fetched project: its name, the folder of its files, and when it was fetched.

    `fetched_at` is seconds since the epoch.
    """

    id: str
    files: Path
    fetched_at: float
    listing: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A project that was fetched: its files by name, its folders, and the list they stood in."""

    files: Mapping[str, bytes]
    layout: Layout
    folders: tuple[str, ...]
    listing: str


class Revisions:
    """What a cache volume holds of one project. Any thread may use it."""

    def __init__(self, cache_root: Path, place: Location) -> None:
        self._place = str(place)
        self._top = cache_root / "config"
        self._folder = self._top / xxhash.xxh3_128_hexdigest(self._place.encode())

    def find(self, objects: Objects) -> Revision | None:
        """Return the revision that was fetched from this very list, if its files are well."""
        for revision in self._newest_first():
            with suppress(OSError):
                layout = layout_of((revision.files / PROJECT_FILE).read_bytes())
                if fingerprint(objects, layout) == revision.listing and _is_well(revision):
                    os.utime(self._folder / revision.id)  # it counts as new
                    return revision
        return None

    def keep(self, fetched: Fetched, now: float) -> Revision:
        """Write a revision, whole or not at all, and return it; raises SourceUnavailable."""
        temporary = self._folder / f".{token_hex(8)}.tmp"
        try:
            self._top.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_files(temporary / "files", fetched)
            record = json.dumps({"fetched_at": now, "listing": fetched.listing}).encode()
            _write(temporary / "record", record)
            name = files_digest(temporary / "files")
            self._put_in_place(temporary, name, record)
        except OSError as error:
            raise disk_error(error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Revision(name, self._folder / name / "files", now, fetched.listing)

    def use(self, revision: Revision, now: float) -> None:
        """Have restarts fall back on this revision, and remove old ones; raises SourceUnavailable.

        Only for one that is valid and in effect.
        """
        record = {"location": self._place, "revision": revision.id, "applied_at": now}
        try:
            write_whole(self._folder / "current", json.dumps(record).encode())
        except OSError as error:
            raise disk_error(error) from error
        self._collect(revision.id, now)

    def last_good(self) -> Revision | None:
        """Return the revision that was in effect last, if its files are well."""
        record = _read_record(self._folder / "current")
        name = record.get("revision")
        if record.get("location") != self._place or not isinstance(name, str):
            return None
        revision = self.named(name)
        return revision if revision is not None and _is_well(revision) else None

    def applied_at(self) -> float:
        """Return when a revision was put into effect last, seconds since the epoch; else 0."""
        found = _read_record(self._folder / "current").get("applied_at")
        return float(found) if isinstance(found, int | float) else 0.0

    def named(self, name: str) -> Revision | None:
        """Return a revision by its name, None when there is no such one; its files may be ill."""
        if not DIGEST.fullmatch(name):
            return None
        record = _read_record(self._folder / name / "record")
        fetched_at, listing = record.get("fetched_at"), record.get("listing")
        if not isinstance(fetched_at, int | float) or not isinstance(listing, str):
            return None
        return Revision(name, self._folder / name / "files", float(fetched_at), listing)

    def _put_in_place(self, temporary: Path, name: str, record: bytes) -> None:
        target = self._folder / name
        if self._is_there(name):
            write_whole(target / "record", record)  # the same files, written anew
            return
        if target.exists():
            target.rename(temporary.with_name(f".{token_hex(8)}.tmp"))
        try:
            temporary.rename(target)
        except OSError:
            if not self._is_there(name):  # else another replica was first
                raise
        _fsync(self._folder)

    def _is_there(self, name: str) -> bool:
        revision = self.named(name)
        return revision is not None and _is_well(revision)

    def _newest_first(self) -> Iterator[Revision]:
        with suppress(OSError):
            found = [entry for entry in folders_in(self._folder) if DIGEST.fullmatch(entry.name)]
            for entry in sorted(found, key=lambda one: one.stat().st_mtime_ns, reverse=True):
                revision = self.named(entry.name)
                if revision is not None:
                    yield revision

    def _collect(self, current: str, now: float) -> None:
        """Remove all but the newest few, and what was left half written."""
        with suppress(OSError):
            entries = list(folders_in(self._folder))
            by_age = sorted(entries, key=lambda one: one.stat().st_mtime_ns, reverse=True)
            others = [e for e in by_age if DIGEST.fullmatch(e.name) and e.name != current]
            before = now - _ABANDONED_SECONDS
            halves = [e for e in by_age if e.name.endswith(".tmp") and e.stat().st_mtime < before]
            for entry in (*others[KEPT_REVISIONS:], *halves):
                shutil.rmtree(entry.path, ignore_errors=True)
            for path in self._folder.glob(TEMPORARY_GLOB):
                if path.is_file():
                    remove_abandoned(path)


def _is_well(revision: Revision) -> bool:
    return files_digest(revision.files) == revision.id


def _read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object from the cache volume, an empty one for anything else."""
    with suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
        document = json.loads(file.read(_MOST_RECORD_BYTES))
        if isinstance(document, dict):
            return document
    return {}


def write_files(folder: Path, fetched: Fetched) -> None:
    """Write a project's files below a folder, and have them on the disk; raises OSError."""
    for name in ("", *fetched.folders):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, content in fetched.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / name, content)
    for path in (folder.parent, folder, *folder.rglob("*")):
        if path.is_dir():
            _fsync(path)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
