"""What the reloader tells of each dataset: progress since its start, and the status document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from offloader.service.reloader.task import Step
from offloader.service.state import Attempt, DatasetState

# Codes that say the source itself did not answer; every other failure was of what it gave.
UNREACHABLE_CODES = frozenset(
    {
        "address_private",
        "bucket_missing",
        "commit_missing",
        "credentials_missing",
        "encoding_unsupported",
        "host_invalid",
        "key_invalid",
        "key_leaves_store",
        "listing_unsupported",
        "manifest_missing",
        "manifest_unreadable",
        "object_cut_short",
        "object_missing",
        "object_overlong",
        "object_wrong_range",
        "ranges_unsupported",
        "redirect_refused",
        "source_slow",
        "source_unreadable",
        "store_busy",
        "store_denied",
        "store_garbled",
        "store_misconfigured",
        "store_refused",
        "store_too_slow",
        "store_unreachable",
        "version_missing",
        "wrong_region",
    }
)


@dataclass(slots=True)
class Progress:
    """One dataset's doings since this reloader started; times are seconds since the epoch."""

    is_looking: bool = False
    is_queued: bool = False  # for its turn to build
    is_building: bool = False
    is_ok: bool = True
    is_reachable: bool = True
    began_at: float = 0.0
    step: str = ""  # of the work under way: a Step, "" while the source is looked at
    step_at: float = 0.0
    unreachable_since: float = 0.0  # 0 while the source answers
    looked_at: float = 0.0
    duration_seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)

    def begin(self, now: float) -> None:
        """Work on the dataset begins."""
        self.is_looking, self.began_at = True, now
        self.step, self.step_at = "", now

    def note_step(self, step: Step, now: float) -> None:
        """The work on the dataset is this far."""
        self.is_queued, self.is_building = step == "queued", step != "queued"
        self.step, self.step_at = step, now

    def end(self, *, is_asked: bool) -> None:
        """The work is over, whatever came of it; beside an operator's a look may go on."""
        self.is_looking, self.is_queued, self.is_building = (
            self.is_looking and is_asked,
            False,
            False,
        )
        self.step = ""

    def note_unchanged(self, now: float) -> None:
        """The newest snapshot is served, or stays away."""
        self._note_reached()
        self.looked_at = now
        self._count("unchanged")

    def note_swapped(self, attempt: Attempt) -> None:
        """A new snapshot is served."""
        self.is_ok = True
        self._note_reached()
        self._note(attempt, "swapped")

    def note_overtaken(self, now: float) -> None:
        """A build was dropped, for the source names another snapshot by now."""
        self._note_reached()
        self.looked_at = now
        self._count("overtaken")

    def note_failed(self, attempt: Attempt) -> None:
        """The newest snapshot cannot be served."""
        self.is_ok = False
        if attempt.code not in UNREACHABLE_CODES:
            self._note_reached()
        else:
            self.is_reachable = False
            self.unreachable_since = self.unreachable_since or attempt.at
        self._note(attempt, "refused" if attempt.is_final else "failed")

    def _note_reached(self) -> None:
        self.is_reachable, self.unreachable_since = True, 0.0

    def _note(self, attempt: Attempt, outcome: str) -> None:
        self.looked_at = attempt.at
        self.duration_seconds = attempt.duration_seconds
        self._count(outcome)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def dataset_status(
    known: DatasetState, progress: Progress, config_pin: str | None, *, is_pending: bool
) -> dict[str, Any]:
    """Return what is known of one dataset besides what is served, as JSON values."""
    pin = config_pin or known.pin
    return {
        **asdict(progress),
        "previous": asdict(known.previous) if known.previous else None,
        "attempt": asdict(known.attempt) if known.attempt.at else None,
        "pin": {"snapshot_id": pin, "by": "config" if config_pin else "operator"} if pin else None,
        "pinned_at": known.pinned_at,
        "rolled_back": [snapshot.snapshot_id for snapshot in known.rolled_back],
        "is_contract_pending": is_pending,
    }


def encode_status(document: Mapping[str, Any]) -> bytes:
    """Return a status document as the bytes on the board."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
