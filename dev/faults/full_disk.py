"""A full cache volume, at three moments of a swap: a small file system of its own is filled up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from dev.faults.asker import Asker, asking
from dev.faults.kills import BUILDER
from dev.faults.moments import parts_in
from dev.faults.outcome import Bound, Outcome, none_of
from dev.faults.processes import is_busy
from dev.faults.project import Source, snapshot_id, write
from dev.faults.signals import builds, has_failed, told
from tests.service_process import Running, running, wait_until

VOLUME_MEGABYTES = 96
ROWS = 20_000
NAMES = ("downloading", "building", "writing state")
_ROOM_FOR_A_MANIFEST = 64 << 10
_WAIT_SECONDS = 40.0
_MOST_BUILDS = 4
_TRIES = 5
_PAUSE_SECONDS = 0.0005
_QUIET_LOOKS = 50


def fill_the_disk(folder: Path, window_seconds: float) -> list[Outcome]:
    """Try the three moments, each on the next snapshot; without the right to mount, none."""
    cache = folder / "cache"
    cache.mkdir()
    if why := _mounted(cache):
        return [Outcome(f"disk full while {name}", skipped=why) for name in NAMES]
    try:
        return _try_all(folder, cache, window_seconds)
    finally:
        subprocess.run(["umount", "--lazy", str(cache)], check=True)


def _mounted(folder: Path) -> str:
    """Mount a small file system; return why that is not to be had, empty when it is there."""
    options = ["-t", "tmpfs", "-o", f"size={VOLUME_MEGABYTES}m"]
    try:
        done = subprocess.run(
            ["mount", *options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"nothing can be mounted here: {error}"
    return f"nothing can be mounted here: {done.stderr.strip()}" if done.returncode else ""


def _try_all(folder: Path, cache: Path, window_seconds: float) -> list[Outcome]:
    sources = write(folder / "project", {"usage": {}}, rows=ROWS)
    usage = sources["usage"]
    with (
        running(usage.root, cache, refresh_interval="0.5") as service,
        asking(service.api, sources) as asker,
    ):
        service.wait(service.is_complete)
        trial = Trial(service, asker, usage, Volume(cache), window_seconds)
        return [
            _failing(trial, 2, 0, NAMES[0]),
            _failing(trial, 3, _ROOM_FOR_A_MANIFEST, NAMES[1]),
            _unsaved(trial, 4),
        ]


class Volume:
    """A small file system and the ballast on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / "ballast"

    def fill(self, leave_bytes: int) -> None:
        """Leave about so many bytes."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
        try:
            while (extra := self._free() - leave_bytes) > 0:
                with suppress(OSError):  # somebody else was faster
                    os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, extra)
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Have room again."""
        self._ballast.unlink()

    def _free(self) -> int:
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_bsize


@dataclass(frozen=True, slots=True)
class Trial:
    """What the rows are tried on, one after the other."""

    service: Running
    asker: Asker
    usage: Source
    volume: Volume
    window_seconds: float


@contextmanager
def _filled(volume: Volume, leave_bytes: int) -> Iterator[None]:
    volume.fill(leave_bytes)
    try:
        yield
    finally:
        volume.free()


def _failing(trial: Trial, number: int, leave_bytes: int, name: str) -> Outcome:
    """Fill the volume before a snapshot comes; free it when the failure is told."""
    service, asker, usage = trial.service, trial.asker, trial.usage
    before = builds(service, "usage")
    with _filled(trial.volume, leave_bytes):
        usage.publish(number)
        _holds(lambda: has_failed(service, "usage", ["disk_full"]))
        Event().wait(trial.window_seconds)
        found = told(service, "usage", ["disk_full"], "failed")
        started = builds(service, "usage") - before
        asker.allow(usage, [number - 1, number])
    is_mended = _holds(partial(_is_served, trial, number))
    return Outcome(
        f"disk full while {name}",
        (
            Bound(found.code, not found.missing),
            none_of("wrong answers", asker.wrong["usage"]),
            Bound(f"{started} builds (bound {_MOST_BUILDS})", started <= _MOST_BUILDS),
            Bound("mended", is_mended),
        ),
        why=(*found.missing, *asker.samples),
    )


def _unsaved(trial: Trial, first: int) -> Outcome:
    """Fill the volume when a snapshot is built, so that only the state cannot be written.

    The moment is short: the next snapshots are tried when it was missed.
    """
    service, usage, volume = trial.service, trial.usage, trial.volume
    for number in range(first, first + _TRIES):
        trial.asker.allow(usage, [number - 1, number])
        with ExitStack() as full:
            with _built(service, usage, volume, number):
                full.enter_context(_filled(volume, 0))
            is_served = _holds(partial(_is_served, trial, number))
            was_saved = _is_saved(volume, number)
            is_told = not was_saved and _holds(lambda: _is_told(service))
        is_mended = _holds(partial(_is_saved, volume, number))
        if is_told:
            break
    return Outcome(
        f"disk full while {NAMES[2]}",
        (
            Bound("state_not_saved", is_told),
            Bound("swapped in all the same", is_served),
            none_of("wrong answers", trial.asker.wrong["usage"]),
            Bound("mended", is_mended),
        ),
        why=tuple(trial.asker.samples),
    )


@contextmanager
def _built(service: Running, usage: Source, volume: Volume, number: int) -> Iterator[None]:
    """Publish a snapshot, and hold the reloader in the block, between the build and the swap."""
    before = parts_in(volume.root, usage)
    reloader = service.diagnostics()["processes"]["reloader"]["pid"]
    usage.publish(number)
    _spin(lambda: parts_in(volume.root, usage) - before)
    os.kill(reloader, signal.SIGSTOP)
    try:
        _spin(lambda: len(parts_in(volume.root, usage) - before) >= 2)
        _spin(lambda: not any(map(_works, service.pids_of(BUILDER))))
        yield
    finally:
        os.kill(reloader, signal.SIGCONT)


def _works(pid: int) -> bool:
    """Tell whether a process does anything for a moment; one that waits for work does not."""
    for _ in range(_QUIET_LOOKS):
        if is_busy(pid):
            return True
        Event().wait(_PAUSE_SECONDS)
    return False


def _is_served(trial: Trial, number: int) -> bool:
    return trial.asker.served["usage"] == number


def _is_saved(volume: Volume, number: int) -> bool:
    state = json.loads((volume.root / "state.json").read_bytes())
    return bool(state["datasets"]["usage"]["active"]["snapshot_id"] == snapshot_id(number))


def _is_told(service: Running) -> bool:
    """Tell whether log and diagnostics say that the state is not saved."""
    has_hint = any(line["hint"] for line in service.events("state_not_saved"))
    return has_hint and service.diagnostics()["disk"]["state_saved"] is False


def _holds(condition: Callable[[], object]) -> bool:
    """Tell whether something becomes true in time."""
    try:
        wait_until(condition, _WAIT_SECONDS, lambda: "")
    except AssertionError:
        return False
    return True


def _spin(condition: Callable[[], object]) -> None:
    while not condition():
        Event().wait(_PAUSE_SECONDS)
