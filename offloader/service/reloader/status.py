"""What the reloader tells of each dataset: progress since its start, and the status document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.state import Attempt, State

# Codes that say the source itself did not answer; every other failure was of what it gave.
UNREACHABLE_CODES = frozenset({"manifest_missing", "manifest_unreadable", "source_unreadable"})


@dataclass(slots=True)
class Progress:
    """One dataset's doings since this reloader started."""

    is_looking: bool = False
    is_building: bool = False
    is_ok: bool = True
    is_reachable: bool = True
    looked_at: float = 0.0
    duration_seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)

    def note_unchanged(self, now: float) -> None:
        """The newest snapshot is served, or was refused before."""
        self.is_reachable = True
        self.looked_at = now
        self._count("unchanged")

    def note_swapped(self, attempt: Attempt) -> None:
        """A new snapshot is served."""
        self.is_ok = self.is_reachable = True
        self._note(attempt, "swapped")

    def note_failed(self, attempt: Attempt) -> None:
        """The newest snapshot cannot be served."""
        self.is_ok = False
        self.is_reachable = attempt.code not in UNREACHABLE_CODES
        self._note(attempt, "refused" if attempt.is_final else "failed")

    def _note(self, attempt: Attempt, outcome: str) -> None:
        self.looked_at = attempt.at
        self.duration_seconds = attempt.duration_seconds
        self._count(outcome)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def status_document(
    project: Project, cache: Cache, state: State, progress: Mapping[str, Progress]
) -> bytes:
    """Return the status of every dataset as JSON."""
    datasets: dict[str, Any] = {}
    for name in project.catalog.datasets:
        known = state[name]
        datasets[name] = {
            **asdict(progress[name]),
            "previous": asdict(known.previous) if known.previous else None,
            "attempt": asdict(known.attempt) if known.attempt.at else None,
            "quarantined": cache.quarantined(name),
        }
    document = {"datasets": datasets, "cache_free_bytes": cache.free_bytes()}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
