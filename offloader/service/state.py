"""State that outlives a restart: what each dataset serves and what was tried, in a state file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from offloader.catalog.manifest import Manifest
from offloader.errors import Problem
from offloader.service.cache import write_whole
from offloader.service.timeline import Event

VERSION = 2
MAX_ROLLED_BACK = 8

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot as it is or was served; times are microseconds since the epoch."""

    snapshot_id: str
    manifest_digest: str
    watermark: int
    created_at: int
    row_count: int

    @classmethod
    def of(cls, manifest: Manifest) -> Snapshot:
        """Return what is remembered of a manifest."""
        return cls(
            manifest.snapshot_id,
            manifest.digest,
            manifest.watermark,
            manifest.created_at,
            manifest.row_count,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last work on a snapshot. `code` is empty when it succeeded.

    `contract` is the digest of the contract it was tried under. A deterministic failure is not
    tried again until snapshot or contract changes; `failures` counts transient ones in a row.
    `at` is seconds since the epoch. `problems` are the first of all that is wrong.
    """

    snapshot_id: str = ""
    manifest_digest: str = ""
    contract: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""
    is_final: bool = False
    failures: int = 0
    at: float = 0.0
    duration_seconds: float = 0.0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetState:
    """What is known of one dataset.

    `pin` is the id an operator pinned it to, empty for none; `rolled_back` are the snapshots that
    must stay away, newest last; `accepted` is the digest of one that may come all the same.
    `copy` counts the rebuilds of the active segment. `pinned_at` is since when it is pinned, by
    config or operator, in seconds since the epoch; 0 while it is not.
    """

    active: Snapshot | None = None
    previous: Snapshot | None = None
    attempt: Attempt = field(default_factory=Attempt)
    pin: str = ""
    rolled_back: tuple[Snapshot, ...] = ()
    accepted: str = ""
    copy: int = 0
    pinned_at: float = 0.0

    def activated(self, snapshot: Snapshot) -> DatasetState:
        """Return the state after `snapshot` was committed."""
        if self.active and self.active.manifest_digest == snapshot.manifest_digest:
            return replace(self, active=snapshot)
        return replace(self, active=snapshot, previous=self.active, copy=0)

    def rolling_back(self) -> DatasetState:
        """Return the state in which the active snapshot is to give way and stay away."""
        if self.active is None or self.active in self.rolled_back:
            return self
        bad = (*self.rolled_back, self.active)[-MAX_ROLLED_BACK:]
        return replace(self, rolled_back=bad, accepted="")

    def replaced_by(self, snapshot: Snapshot) -> DatasetState:
        """Return the state after `snapshot` took the place of an active one that is bad."""
        return replace(self.activated(snapshot), previous=None)

    def accepting(self, manifest_digest: str) -> DatasetState:
        """Return the state in which one snapshot may be served whatever is known of it."""
        away = tuple(s for s in self.rolled_back if s.manifest_digest != manifest_digest)
        return replace(self, rolled_back=away, accepted=manifest_digest)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return every snapshot that is remembered, the active one first."""
        known = (self.active, self.previous, *reversed(self.rolled_back))
        return tuple(snapshot for snapshot in known if snapshot is not None)


@dataclass(frozen=True, slots=True)
class Held:
    """The files of one dataset that must stay in the cache: ids of parts, digests of manifests."""

    parts: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """What a state file says.

    `contracts` are the documents (project, datasets, endpoints; no keys) that the active segments
    are served under; empty before the first swap. `holds` is by dataset. `events` are the newest,
    oldest first.
    """

    datasets: Mapping[str, DatasetState] = field(default_factory=dict)
    contracts: Mapping[str, Any] = field(default_factory=dict)
    holds: Mapping[str, Held] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


def load_state(path: Path) -> Saved:
    """Read a state file; one that is missing or damaged is empty: everything is built anew."""
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            return Saved()
        problems, events = _told(document.get("told"))
        datasets = {name: _dataset(entry) for name, entry in document["datasets"].items()}
        return Saved(
            {name: _with(known, problems.get(name, ())) for name, known in datasets.items()},
            dict(document["contracts"]),
            {name: _held(entry) for name, entry in document["holds"].items()},
            events,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Saved()


def save_state(path: Path, saved: Saved) -> None:
    """Write the state whole, or leave the one before; raises OSError."""
    datasets = {name: asdict(entry) for name, entry in sorted(saved.datasets.items())}
    problems = {name: entry["attempt"].pop("problems") for name, entry in datasets.items()}
    document = {
        "version": VERSION,
        "datasets": datasets,
        "contracts": saved.contracts,
        "holds": {name: asdict(entry) for name, entry in sorted(saved.holds.items())},
        # Beside the rest: a version that does not know of it reads all that decides.
        "told": {
            "problems": {name: found for name, found in problems.items() if found},
            "events": [asdict(one) for one in saved.events],
        },
    }
    write_whole(path, json.dumps(document, indent=1, ensure_ascii=False).encode())


def _dataset(entry: Mapping[str, Any]) -> DatasetState:
    return DatasetState(
        active=_snapshot(entry["active"]),
        previous=_snapshot(entry["previous"]),
        attempt=_typed(Attempt, {**entry["attempt"], "problems": ()}),
        pin=_text(entry["pin"]),
        rolled_back=tuple(_typed(Snapshot, one) for one in entry["rolled_back"]),
        accepted=_text(entry["accepted"]),
        copy=int(entry["copy"]),
        pinned_at=float(entry.get("pinned_at", 0.0)),
    )


def _told(found: Any) -> tuple[dict[str, tuple[Problem, ...]], tuple[Event, ...]]:
    """Return what is only shown to people; nothing when it is not there or makes no sense."""
    try:
        problems = found["problems"].items()
        return (
            {name: tuple(_typed(Problem, one) for one in listed) for name, listed in problems},
            tuple(_typed(Event, one) for one in found["events"]),
        )
    except (KeyError, TypeError, AttributeError):
        return {}, ()


def _with(known: DatasetState, problems: tuple[Problem, ...]) -> DatasetState:
    return replace(known, attempt=replace(known.attempt, problems=problems))


def _held(entry: Mapping[str, Iterable[object]]) -> Held:
    return Held(tuple(map(_text, entry["parts"])), tuple(map(_text, entry["manifests"])))


def _snapshot(entry: Mapping[str, Any] | None) -> Snapshot | None:
    return None if entry is None else _typed(Snapshot, entry)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _typed(kind: type[_T], entry: Mapping[str, Any]) -> _T:
    """Return a record of plain fields; raises TypeError when one is missing or of another type."""
    made = kind(**entry)
    for one in fields(made):  # type: ignore[arg-type]
        value = entry[one.name]
        wanted = str(one.type).partition("[")[0]
        if type(value).__name__ != wanted and not (wanted == "float" and type(value) is int):
            raise TypeError(f"{one.name} is of another type")
    return made
