"""Which instances use a cache volume: each holds a slot, and has a state file of its own.

A slot is a lock on `instances/<n>.lock` that the kernel lets go of when main ends, however it
ends. Slots are taken from 0 upwards, so a service that is alone always finds its own state again.
Starts are held back while somebody counts the living, or works on a volume that nobody uses.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from offloader.errors import StartError
from offloader.service import log
from offloader.service.cache import Cache, files_in, unusable
from offloader.service.state import VERSION, Saved, load_state, save_state
from offloader.shared.file_lock import close_lock, lock_within, open_lock, try_lock

MAX_INSTANCES = 64
WAIT_SECONDS = 60.0
_HOST_BYTES = 200
_SLOT = re.compile(r"(0|[1-9][0-9]?)\.lock")
_STATE = re.compile(r"state(?:\.([1-9][0-9]?))?\.json")


@dataclass(frozen=True, slots=True)
class Instance:
    """A slot of a volume: its number and the state file that belongs to it.

    `descriptor` holds the lock, None where the file system has none.
    """

    number: int
    state: Path
    descriptor: int | None = None

    def release(self) -> None:
        """Let another instance have the slot, as the end of the process does."""
        if self.descriptor is not None:
            close_lock(self.descriptor)


def claim(cache: Cache, host: str = "", *, wait_seconds: float = WAIT_SECONDS) -> Instance:
    """Take the lowest free slot, held until this process ends; its children do not hold it.

    `host` is written into the slot, for people. On a file system without locks there can be no
    second instance and nothing is locked: that is logged, and the slot is 0. Raises StartError:
    `cache_crowded` when all slots are taken, `cache_busy` when a command keeps starts back for
    longer than `wait_seconds`, `cache_not_writable`, `cache_full`.
    """
    guard = _hold_starts_back(cache, wait_seconds)
    try:
        for number in range(MAX_INSTANCES):
            descriptor = open_lock(_lock(cache, number))
            tried = try_lock(descriptor)
            if tried == "held":
                _write_host(descriptor, host)
                return Instance(number, state_path(cache, number), descriptor)
            close_lock(descriptor)
            if tried == "unsupported":
                hint = "do not let another instance use this volume"
                log.warning("cache_without_locks", cache=str(cache.root), hint=hint)
                return Instance(0, state_path(cache, 0))
    except OSError as error:
        raise unusable(cache.root, error) from error
    finally:
        close_lock(guard)
    message = f"{cache.root}: {MAX_INSTANCES} instances use it already"
    raise StartError("cache_crowded", message, "give more instances another cache volume")


def inherit(cache: Cache, instance: Instance) -> None:
    """Give a new slot what the instance that wrote last knew: snapshots, pins, rollbacks.

    So a replica that starts beside, or in place of, another on a shared volume starts warm.
    """
    if instance.state.exists():
        return
    with suppress(OSError):
        others = state_paths(cache).values()
        newest = max(others, key=lambda path: path.stat().st_mtime_ns, default=None)
        saved = read_state(newest) if newest is not None else None
        if saved:
            save_state(instance.state, replace(saved, events=()))  # those are the other one's


def state_path(cache: Cache, number: int) -> Path:
    """Return the state file of an instance."""
    return cache.root / (f"state.{number}.json" if number else "state.json")


def state_paths(cache: Cache) -> dict[int, Path]:
    """Return the state files on a volume by the number of their instance; raises OSError."""
    matches = ((_STATE.fullmatch(entry.name), entry) for entry in files_in(cache.root))
    found = {int(match[1] or 0): Path(entry.path) for match, entry in matches if match}
    return {number: found[number] for number in sorted(found) if number < MAX_INSTANCES}


def read_state(path: Path) -> Saved | None:
    """Read a state file that may be another instance's: None when it cannot be understood.

    One that is missing is empty.
    """
    saved = load_state(path)
    if saved != Saved():
        return saved
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return saved
    except (OSError, ValueError, RecursionError):
        return None
    is_known = isinstance(document, dict) and document.get("version") == VERSION
    return saved if is_known and not document.get("datasets") else None


def hosts(cache: Cache) -> dict[int, str]:
    """Return where each slot was claimed last; raises OSError."""
    return {number: _read_host(path) for number, path in _slots(cache)}


def occupied(cache: Cache) -> tuple[int, ...]:
    """Return the numbers of the instances that live; raises StartError.

    Whoever may not write the volume can still ask.
    """
    try:
        with starts_held_back(cache) as living:
            return living
    except StartError as error:
        if error.code == "cache_busy":
            raise
        return _living(cache)


@contextmanager
def starts_held_back(
    cache: Cache, *, wait_seconds: float = WAIT_SECONDS
) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of the instances that live; no other one starts meanwhile.

    Be quick: a start waits. Raises StartError: `cache_busy`, `cache_not_writable`, `cache_full`.
    """
    guard = _hold_starts_back(cache, wait_seconds)
    try:
        yield _living(cache)
    finally:
        close_lock(guard)


def _hold_starts_back(cache: Cache, wait_seconds: float) -> int:
    path = cache.root / "instances" / "starts.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = open_lock(path)
        if lock_within(guard, wait_seconds) != "taken":
            return guard
    except OSError as error:
        raise unusable(cache.root, error) from error
    close_lock(guard)
    message = f"{cache.root}: another process works on the cache volume"
    hint = "wait until the `offloader cache` command there has ended, and try again"
    raise StartError("cache_busy", message, hint)


def _living(cache: Cache) -> tuple[int, ...]:
    try:
        return tuple(number for number, path in _slots(cache) if _is_taken(path))
    except OSError as error:
        raise unusable(cache.root, error) from error


def _slots(cache: Cache) -> list[tuple[int, Path]]:
    matches = ((_SLOT.fullmatch(entry.name), entry) for entry in files_in(cache.root / "instances"))
    found = ((int(match[1]), Path(entry.path)) for match, entry in matches if match)
    return sorted(slot for slot in found if slot[0] < MAX_INSTANCES)


def _lock(cache: Cache, number: int) -> Path:
    return cache.root / "instances" / f"{number}.lock"


def _is_taken(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        # Shared: it needs no right to write, and an instance's own lock is exclusive.
        return try_lock(descriptor, is_shared=True) == "taken"
    finally:
        os.close(descriptor)


def _write_host(descriptor: int, host: str) -> None:
    with suppress(OSError):  # it says where an instance runs, no more
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, host.encode(errors="replace")[:_HOST_BYTES], 0)


def _read_host(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        text = file.read(_HOST_BYTES).decode(errors="replace")
        return "".join(character for character in text if character.isprintable())
    return ""
