"""The cache volume: where parts, manifests, state and quarantined parts lie.

Below its folder:

    segments/<dataset>/<part id>            one part, content-addressed
    manifests/<dataset>/<manifest digest>   the manifest a segment was built from
    quarantine/<dataset>/<part id>.<time>   a damaged part, and beside it `….reason`
    state.json                              what is active, and what was tried
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from offloader.errors import SourceUnavailable, StartError
from offloader.segment.part_writer import TEMPORARY_GLOB

MIN_FREE_BYTES = 64 << 20
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

    def prepare(self) -> None:
        """Make the folders and prove that they can be written.

        Raises StartError: `cache_not_writable` or `cache_full`.
        """
        probe = self.root / f".probe-{os.getpid()}"
        try:
            for folder in ("segments", "manifests", "quarantine"):
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"\0" * 4096)
        except OSError as error:
            raise _unusable(self.root, error) from error
        finally:
            _remove(probe)
        free_bytes = shutil.disk_usage(self.root).free
        if free_bytes < MIN_FREE_BYTES:
            raise _full(self.root, f"only {free_bytes >> 20} MiB are free")

    def keep_manifest(self, dataset: str, digest: str, raw: bytes) -> Path:
        """Keep a copy of a manifest and return its path; raises SourceUnavailable on a full disk.

        A copy that is there already is replaced only if it differs.
        """
        path = self.manifest(dataset, digest)
        try:
            if not path.exists() or path.read_bytes() != raw:
                write_whole(path, raw)
        except OSError as error:
            raise disk_error(error) from error
        return path

    def quarantine(self, dataset: str, part_id: str, reason: str, now: float) -> None:
        """Move a damaged part away, with the reason beside it; it will be built again."""
        target = self.root / "quarantine" / dataset / f"{part_id}.{int(now)}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.part(dataset, part_id).replace(target)
            target.with_name(f"{target.name}.reason").write_text(f"{reason}\n", encoding="utf-8")
        except OSError:
            _remove(self.part(dataset, part_id))

    def quarantined(self, dataset: str) -> int:
        """Return how many parts of a dataset lie in quarantine."""
        folder = self.root / "quarantine" / dataset
        return sum(1 for path in folder.glob("*") if path.suffix != ".reason")

    def sweep(self, datasets: Iterable[str]) -> None:
        """Remove what a killed process left half written."""
        folders = [self.root]
        for dataset in datasets:
            folders += [self.part(dataset, "x").parent, self.manifest(dataset, "x").parent]
        for folder in folders:
            for path in folder.glob(TEMPORARY_GLOB):
                _remove(path)

    def free_bytes(self) -> int:
        """Return the free bytes of the volume, 0 when it cannot be asked."""
        try:
            return shutil.disk_usage(self.root).free
        except OSError:
            return 0


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or the next start, finds all of it or the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        _remove(temporary)
        raise
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


def _unusable(root: Path, error: OSError) -> StartError:
    if error.errno in _FULL:
        return _full(root, "nothing can be written")
    hint = "mount a volume the service's user can write, or set OFFLOADER_CACHE_DIR"
    return StartError("cache_not_writable", f"{root}: {error.strerror}", hint)


def _full(root: Path, what: str) -> StartError:
    hint = f"free at least {MIN_FREE_BYTES >> 20} MiB there, or set OFFLOADER_CACHE_DIR"
    return StartError("cache_full", f"{root}: {what}", hint)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
