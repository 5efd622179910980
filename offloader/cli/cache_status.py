"""What `offloader cache status` says: lines for people, one object for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from offloader.cli.wording import plural

if TYPE_CHECKING:
    from offloader.service.quarantine import PutAway
    from offloader.service.state import DatasetState
    from offloader.service.volume import Damage, SeenDataset, SeenInstance, SeenVolume

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """Tells how many files are done: on a terminal in one line, elsewhere a line for each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()

    def __call__(self, done: int, total: int, name: str) -> None:
        """Tell that one more file is done."""
        if self._is_terminal:
            end = "\n" if done == total else ""
            print(f"\rverified {done} of {total} parts", end=end, file=self._stream, flush=True)
        else:
            print(f"verified {done} of {total}: {name}", file=self._stream, flush=True)


def status_document(
    root: Path, volume: SeenVolume, damages: Sequence[Damage] | None
) -> dict[str, Any]:
    """Return the object of `--json`; `damaged` is null when nothing was verified."""
    return {
        "ok": not damages,
        "cache_dir": str(root),
        "free_bytes": volume.free_bytes,
        "instances": [_instance_document(one) for one in volume.instances],
        "datasets": {one.name: _dataset_document(one) for one in volume.datasets},
        "damaged": None if damages is None else [asdict(one) for one in damages],
    }


def status_lines(root: Path, volume: SeenVolume, damages: Sequence[Damage] | None) -> Iterator[str]:
    """Yield the lines for people."""
    used = sum(part.size_bytes for one in volume.datasets for part in one.parts)
    yield f"{root}: {size(used)} in parts, {size(volume.free_bytes)} free"
    for instance in volume.instances:
        yield _instance_line(instance)
    for dataset in volume.datasets:
        yield from _dataset_lines(dataset)
    for damage in damages or ():
        yield f"damaged: {damage.file}: {damage.reason}"
    if damages:
        yield (
            "stop the service and put the parts of each damaged dataset away:"
            " offloader cache quarantine DATASET --parts-only --reason TEXT"
        )
    elif damages is not None:
        yield "verified: every file is what was written"


def size(count: float) -> str:
    """Return a number of bytes in the unit that reads best."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


def _instance_document(one: SeenInstance) -> dict[str, Any]:
    return {
        "number": one.number,
        "is_running": one.is_running,
        "host": one.host,
        "is_state_readable": one.saved is not None,
        "state_written_at": _moment(one.touched_at) if one.touched_at else None,
    }


def _instance_line(one: SeenInstance) -> str:
    where = f" on {one.host}" if one.host else ""
    state = f"state of {_moment(one.touched_at)}" if one.touched_at else "no state yet"
    if one.saved is None:
        state = "its state file cannot be read"
    return (
        f"instance {one.number}: {'running' if one.is_running else 'not running'}{where}, {state}"
    )


def _dataset_document(one: SeenDataset) -> dict[str, Any]:
    return {
        "parts": len(one.parts),
        "bytes": sum(part.size_bytes for part in one.parts),
        "unreferenced": [part.part_id for part in one.parts if not part.is_needed],
        "missing": list(one.missing),
        "states": {str(number): _state_document(known) for number, known in one.states.items()},
        "quarantined_snapshots": [{**asdict(mark), "at": _moment(mark.at)} for mark in one.marked],
        "put_away": [_put_away_document(part) for part in one.put_away],
    }


def _put_away_document(part: PutAway) -> dict[str, Any]:
    return {
        "part_id": part.part_id,
        "at": _moment(part.at),
        "reason": part.reason,
        "bytes": part.size_bytes,
    }


def _state_document(known: DatasetState) -> dict[str, Any]:
    return {
        "active": known.active.snapshot_id if known.active else None,
        "previous": known.previous.snapshot_id if known.previous else None,
        "pin": known.pin or None,
        "rolled_back": [snapshot.snapshot_id for snapshot in known.rolled_back],
    }


def _dataset_lines(one: SeenDataset) -> Iterator[str]:
    spare = [part.size_bytes for part in one.parts if not part.is_needed]
    bytes_text = size(sum(part.size_bytes for part in one.parts))
    unneeded = f", {len(spare)} of them ({size(sum(spare))}) not needed" if spare else ""
    yield f"{one.name}: {plural(len(one.parts), 'part')}, {bytes_text}{unneeded}"
    for number, known in one.states.items():
        document = _state_document(known)
        rolled_back = ", ".join(document.pop("rolled_back"))
        words = [f"{name} {text}" for name, text in document.items() if text]
        words += [f"rolled back {rolled_back}"] if rolled_back else []
        yield f"  instance {number}: {', '.join(words) or 'nothing is active'}"
    if one.missing:
        yield f"  {plural(len(one.missing), 'part')} missing: built again when it is needed"
    for mark in one.marked:
        name = mark.snapshot_id or mark.manifest_digest
        yield f"  quarantined snapshot {name} since {_moment(mark.at)}: {mark.reason}"
    for part in one.put_away:
        yield f"  put away part {part.part_id} at {_moment(part.at)}: {part.reason or 'no reason'}"


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "an unknown time"
