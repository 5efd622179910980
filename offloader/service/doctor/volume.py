"""The cache volume: there, writable, with room, with locks, and with files that stay written."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from offloader.errors import StartError
from offloader.service.cache import MIN_FREE_BYTES, Cache, unusable
from offloader.service.doctor.finding import Check, Finding
from offloader.service.instance import read_state, state_paths
from offloader.shared.file_lock import close_lock, open_lock, try_lock

_PROBE_BYTES = 4096
_LOW_FREE_BYTES = 512 << 20
_HINT = "mount a volume that uid 10001 or group 0 may write, or set OFFLOADER_CACHE_DIR"


def check_volume(cache: Cache) -> list[Finding]:
    """Look at the volume and try a file of its own, which is removed; nothing else is touched."""
    check = Check("environment", "cache volume", str(cache.root))
    if not cache.root.is_dir():
        return [_absent(check, cache.root)]
    found = [*_probe(check, cache.root)]
    found += [_room(check, cache), *_states(check, cache)]
    bad = [one for one in found if one.verdict != "ok"]
    if bad:
        return bad
    free = f"{cache.free_bytes() >> 20} MiB free"
    return [check.ok(f"writable, {free}; locks, renames and syncs work")]


def _absent(check: Check, root: Path) -> Finding:
    """Judge a folder that the service would make at its start."""
    above = next((folder for folder in root.parents if folder.exists()), Path("/"))
    if root.exists() or not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        what = "is no folder" if root.exists() else f"cannot be made in {above}"
        return check.fail("cache_not_writable", f"the folder {what}", _HINT)
    hint = "mount a volume there: without one every restart builds all segments again"
    return check.warn("cache_missing", "the folder does not exist; a start makes it", hint)


def _probe(check: Check, root: Path) -> list[Finding]:
    """Write, sync, lock, rename and read back one small file, as the service does."""
    token = token_hex(8)
    probe, renamed = root / f".probe.{token}.tmp", root / f".renamed.{token}.tmp"
    try:
        _write(probe)
        locks = _locks(check, probe)
        probe.rename(renamed)
        _sync(root)
        if renamed.read_bytes() != b"\0" * _PROBE_BYTES:
            hint = "replace the volume: it does not keep what is written"
            return [check.fail("cache_untrue", "a file holds other bytes than were written", hint)]
        return locks
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return [check.of_error(unusable(root, error))]
        return [check.fail("cache_not_writable", f"a file cannot be made: {error.strerror}", _HINT)]
    finally:
        for path in (probe, renamed):
            with suppress(OSError):
                path.unlink()


def _write(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, b"\0" * _PROBE_BYTES)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locks(check: Check, path: Path) -> list[Finding]:
    first = open_lock(path)
    second = open_lock(path)
    try:
        tried = (try_lock(first), try_lock(second))
    finally:
        close_lock(second)
        close_lock(first)
    if tried == ("held", "taken"):
        return []
    hint = "let no other instance use this volume, or give it a file system that has locks"
    return [check.warn("cache_without_locks", "its file system has no locks", hint)]


def _room(check: Check, cache: Cache) -> Finding:
    free_bytes = cache.free_bytes()
    shown = f"{free_bytes >> 20} MiB are free"
    hint = "make the volume larger: it needs room for three times the segments"
    if free_bytes < MIN_FREE_BYTES:
        return check.fail("cache_full", f"only {shown}; a start needs 64", hint)
    if free_bytes < _LOW_FREE_BYTES:
        return check.warn("cache_nearly_full", shown, hint)
    return check.ok(shown)


def _states(check: Check, cache: Cache) -> list[Finding]:
    try:
        unread = [path.name for path in state_paths(cache).values() if read_state(path) is None]
    except (OSError, StartError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "run the command as the user of the service"
        return [check.fail("cache_unreadable", f"it cannot be read: {reason}", hint)]
    hint = "pins and rollbacks in it are lost; snapshots are built again: see the log of the start"
    return [check.warn("state_unreadable", f"{name} cannot be understood", hint) for name in unread]
