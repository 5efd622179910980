"""The cache volume: where parts, manifests, states and quarantined parts lie.

Below its folder:

    segments/<dataset>/<part id>                    one part, content-addressed
    manifests/<dataset>/<manifest digest>           the manifest a segment was built from
    manifests/<dataset>/<manifest digest>.counts    what its guards are checked against
    quarantine/<dataset>/<part id>.<time>           a damaged part, and beside it `….reason`
    quarantine/<dataset>/<manifest digest>.snapshot a snapshot that must not be served, and why
    config/<digest>/…                               revisions of a project in a bucket
    state.json, state.<n>.json                      what instance 0, and n, serves and has tried
    instances/<n>.lock                              locked while instance n lives
    leases/<name>                                   files that a living process needs
    downloads/….files/                              a snapshot on its way from an object store
    rebuilding/<name>/segments/…                    parts that are built beside those in use
    collect.lock                                    locked while unneeded files are removed

Several instances may share a volume whose file system has locks.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from offloader.catalog.text_rules import IDENTIFIER
from offloader.errors import SourceUnavailable, StartError
from offloader.segment.temporary import TEMPORARY_GLOB, open_temporary, remove_abandoned
from offloader.service.downloads import sweep_downloads

MIN_FREE_BYTES = 64 << 20
DIGEST = re.compile("[0-9a-f]{32}")  # the id of a part, the digest of a manifest
CONTENT = re.compile(rf"({DIGEST.pattern})(\..*)?")  # what is named by one of the two
FOLDERS = ("segments", "manifests", "quarantine", "instances", "leases")
_BY_DATASET = FOLDERS[:3]
_MODE = 0o666
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Cache:
    """Paths of one cache volume."""

    root: Path

    @property
    def state(self) -> Path:
        """The state file."""
        return self.root / "state.json"

    def part(self, dataset: str, part_id: str) -> Path:
        """Return where a part belongs."""
        return self.root / "segments" / dataset / part_id

    def manifest(self, dataset: str, digest: str) -> Path:
        """Return where a copy of a manifest belongs."""
        return self.root / "manifests" / dataset / digest

    def counts(self, dataset: str, digest: str) -> Path:
        """Return where the numbers of a built snapshot belong."""
        return self.root / "manifests" / dataset / f"{digest}.counts"

    def quarantine_of(self, dataset: str) -> Path:
        """Return the folder of what of a dataset was put away."""
        return self.root / "quarantine" / dataset

    @property
    def leases(self) -> Path:
        """The folder of leases."""
        return self.root / "leases"

    @property
    def downloads(self) -> Path:
        """The folder of what is downloaded to be read once."""
        return self.root / "downloads"

    @property
    def collect_lock(self) -> Path:
        """The file that a collector has locked, and whoever takes a lease for a moment."""
        return self.root / "collect.lock"

    def datasets(self) -> list[str]:
        """Return the datasets that have a folder on the volume, by name."""
        folders = (folder for kind in _BY_DATASET for folder in folders_in(self.root / kind))
        return sorted({folder.name for folder in folders if IDENTIFIER.fullmatch(folder.name)})

    def prepare(self) -> None:
        """Make the folders and prove that they can be written.

        Raises StartError: `cache_not_writable` or `cache_full`.
        """
        probe = self.root / f".probe.{token_hex(8)}.tmp"
        try:
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"\0" * 4096)
        except OSError as error:
            raise unusable(self.root, error) from error
        finally:
            _remove(probe)
        free_bytes = shutil.disk_usage(self.root).free
        if free_bytes < MIN_FREE_BYTES:
            raise _full(self.root, f"only {free_bytes >> 20} MiB are free")

    def keep_manifest(self, dataset: str, digest: str, raw: bytes) -> Path:
        """Keep a copy of a manifest and return its path; raises SourceUnavailable on a full disk.

        A copy that is there already is replaced only if it differs. It counts as new all the same,
        so that no collector removes it before somebody has a lease on it.
        """
        path = self.manifest(dataset, digest)
        try:
            if not _is_kept(path, raw):
                write_whole(path, raw)
        except OSError as error:
            raise disk_error(error) from error
        return path

    def touch_manifest(self, dataset: str, digest: str) -> Path:
        """Let a kept manifest count as new, so that no collector removes it; return its path.

        Raises SourceUnavailable.
        """
        path = self.manifest(dataset, digest)
        try:
            os.utime(path)
        except OSError as error:
            raise disk_error(error) from error
        return path

    def sweep(self, datasets: Iterable[str]) -> None:
        """Remove what killed processes left half written; what is being written stays."""
        folders = [self.root]
        for dataset in datasets:
            folders += [self.part(dataset, "x").parent, self.manifest(dataset, "x").parent]
        for folder in folders:
            for path in folder.glob(TEMPORARY_GLOB):
                with suppress(OSError):
                    remove_abandoned(path)
        sweep_downloads(self.downloads)

    def free_bytes(self) -> int:
        """Return the free bytes of the volume, 0 when it cannot be asked."""
        try:
            return shutil.disk_usage(self.root).free
        except OSError:
            return 0


def folders_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the folders in a folder, by name; links and other files are passed over."""
    return (entry for entry in _entries(folder) if entry.is_dir(follow_symlinks=False))


def files_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the regular files in a folder, by name; links and other files are passed over."""
    return (entry for entry in _entries(folder) if entry.is_file(follow_symlinks=False))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, nothing when there is no such folder; raises OSError."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or the next start, finds all of it or the one before."""
    descriptor, temporary = open_temporary(path, _MODE)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        _remove(temporary)
        raise
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def disk_error(error: OSError) -> SourceUnavailable:
    """Return the transient error for a cache volume that cannot be written."""
    if error.errno in _FULL:
        hint = "free space on the cache volume, or make it larger; it is tried again"
        return SourceUnavailable("disk_full", "the cache volume is full", hint)
    hint = "let the service's user write the cache volume; it is tried again"
    what = f"the cache volume cannot be written: {error.strerror}"
    return SourceUnavailable("cache_not_writable", what, hint)


def unusable(root: Path, error: OSError) -> StartError:
    """Return the error for a cache folder that cannot be used."""
    if error.errno in _FULL:
        return _full(root, "nothing can be written")
    hint = "mount a volume the service's user can write, or set OFFLOADER_CACHE_DIR"
    return StartError("cache_not_writable", f"{root}: {error.strerror}", hint)


def _full(root: Path, what: str) -> StartError:
    hint = f"free at least {MIN_FREE_BYTES >> 20} MiB there, or set OFFLOADER_CACHE_DIR"
    return StartError("cache_full", f"{root}: {what}", hint)


def _is_kept(path: Path, raw: bytes) -> bool:
    """Tell whether a file is there with this content, and let it count as new."""
    try:
        os.utime(path)
        return path.read_bytes() == raw
    except (FileNotFoundError, PermissionError):
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
