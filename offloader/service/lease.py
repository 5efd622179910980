"""Leases: files of the cache that a living process needs, though no state file names them yet.

A lease is a locked file below `leases/`. Taking one waits for a collector to end, so what is
there under a lease stays there. The lease of a process that died is not locked any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any

from offloader.errors import SourceUnavailable
from offloader.service.cache import Cache, disk_error, files_in
from offloader.shared.file_lock import close_lock, lock_within, open_lock, try_lock

WAIT_SECONDS = 60.0
SUFFIX = ".lease"
_MAX_BYTES = 1 << 20


class Lease:
    """Files that stay until `release`, the end of the `with` block, or of this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Need the files no longer; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            close_lock(descriptor)


@dataclass(frozen=True, slots=True)
class SeenLease:
    """A lease as others see it.

    `is_held` is None where the file system has no locks. `needs` are ids of parts and digests of
    manifests, None when they cannot be read.
    """

    path: Path
    is_held: bool | None
    needs: frozenset[str] | None


def lease(
    cache: Cache,
    dataset: str,
    part_ids: Iterable[str],
    manifest_digests: Iterable[str],
    *,
    wait_seconds: float = WAIT_SECONDS,
) -> Lease:
    """Have parts and manifests stay, those that are there and those that will be written.

    Look after this whether they are there. Raises SourceUnavailable: `cache_busy` when a
    collector takes longer than `wait_seconds`, `disk_full`, `cache_not_writable`.
    """
    document = {"dataset": dataset, "parts": [*part_ids], "manifests": [*manifest_digests]}
    try:
        collecting = open_lock(cache.collect_lock)
        try:
            if lock_within(collecting, wait_seconds, is_shared=True) == "taken":
                hint = "it is tried again; look for an instance that hangs on the same volume"
                message = f"the cache volume is being cleared for more than {wait_seconds:g} s"
                raise SourceUnavailable("cache_busy", message, hint)
            return _written(cache, json.dumps(document).encode())
        finally:
            close_lock(collecting)
    except OSError as error:
        raise disk_error(error) from error


def seen_leases(cache: Cache) -> list[SeenLease]:
    """Read every lease; raises OSError. One that is being taken right now looks abandoned."""
    found = []
    for entry in files_in(cache.leases):
        with suppress(FileNotFoundError):  # released just now
            if entry.name.endswith(SUFFIX):
                found.append(_seen(Path(entry.path)))
    return found


def _written(cache: Cache, content: bytes) -> Lease:
    path = cache.leases / f"{token_hex(8)}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Lease(path, descriptor := open_lock(path))
    try:
        lock_within(descriptor, WAIT_SECONDS)  # at most somebody asks whether it is held
        done = 0
        while done < len(content):
            done += os.write(descriptor, content[done:])
    except BaseException:
        made.release()
        raise
    return made


def _seen(path: Path) -> SeenLease:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        tried = try_lock(descriptor)
        is_held = None if tried == "unsupported" else tried == "taken"
        return SeenLease(path, is_held, _needs(os.pread(descriptor, _MAX_BYTES, 0)))
    finally:
        os.close(descriptor)


def _needs(content: bytes) -> frozenset[str] | None:
    try:
        document: Any = json.loads(content)
        return frozenset(map(str, [*document["parts"], *document["manifests"]]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def release(held: Lease | None) -> None:
    """Let go of a lease, if there is one."""
    if held is not None:
        held.release()
