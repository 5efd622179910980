"""State that outlives a restart: what each dataset serves and what was tried, in state.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from offloader.catalog.manifest import Manifest
from offloader.service.cache import Cache, write_whole

VERSION = 1

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
    `at` is seconds since the epoch.
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


@dataclass(frozen=True, slots=True)
class DatasetState:
    """What is known of one dataset."""

    active: Snapshot | None = None
    previous: Snapshot | None = None
    attempt: Attempt = field(default_factory=Attempt)

    def activated(self, snapshot: Snapshot) -> DatasetState:
        """Return the state after `snapshot` was committed."""
        if self.active and self.active.manifest_digest == snapshot.manifest_digest:
            return replace(self, active=snapshot)
        return replace(self, active=snapshot, previous=self.active)


State = Mapping[str, DatasetState]


def load_state(cache: Cache) -> dict[str, DatasetState]:
    """Read the state; one that is missing or damaged is empty: everything is then built anew."""
    try:
        document = json.loads(cache.state.read_bytes())
        if document["version"] != VERSION:
            return {}
        return {name: _dataset(entry) for name, entry in document["datasets"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def save_state(cache: Cache, state: State) -> None:
    """Write the state whole, or leave the one before; raises OSError."""
    datasets = {name: asdict(entry) for name, entry in sorted(state.items())}
    text = json.dumps({"version": VERSION, "datasets": datasets}, indent=1, ensure_ascii=False)
    write_whole(cache.state, text.encode())


def _dataset(entry: Mapping[str, Any]) -> DatasetState:
    return DatasetState(
        active=_snapshot(entry["active"]),
        previous=_snapshot(entry["previous"]),
        attempt=_typed(Attempt, entry["attempt"]),
    )


def _snapshot(entry: Mapping[str, Any] | None) -> Snapshot | None:
    return None if entry is None else _typed(Snapshot, entry)


def _typed(kind: type[_T], entry: Mapping[str, Any]) -> _T:
    """Return a record of plain fields; raises TypeError when one is missing or of another type."""
    made = kind(**entry)
    for one in fields(made):  # type: ignore[arg-type]
        value = entry[one.name]
        if type(value).__name__ != one.type and not (one.type == "float" and type(value) is int):
            raise TypeError(f"{one.name} is of another type")
    return made
