"""What one worker can see of the whole instance, and what follows from it. Nothing here blocks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.query.cell_text import timestamp_text
from offloader.service.state import Snapshot
from offloader.service.worker.attachment import Attachment
from offloader.service.worker.generation import Generation
from offloader.shared.control import ControlReader, Word
from offloader.shared.slots import Head, Slots

HEARTBEAT_LIMIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a worker can see: its generation, the control block, all slots, the board."""

    generation: Generation | None
    control: ControlReader
    slots: Slots

    @classmethod
    def of(cls, attachment: Attachment) -> View:
        """Take what an attachment shows at this moment."""
        return cls(attachment.generation(), attachment.control, attachment.slots)

    def board(self) -> dict[str, Any]:
        """Return the reloader's status document; empty before its first."""
        return json.loads(self.slots.board.read() or b'{"datasets":{}}')  # type: ignore[no-any-return]


def beat_seconds(head: memoryview) -> float:
    """Return how long ago a process showed a heartbeat, whatever process it was."""
    return max(0.0, (time.monotonic_ns() - head[Head.HEARTBEAT_NS]) / 1e9)


def is_attached(view: View, head: memoryview) -> bool:
    """Tell whether a worker is alive and serves the committed generation."""
    is_current = head[Head.ATTACHED] >= view.control.generation() > 0
    return is_current and beat_seconds(head) < HEARTBEAT_LIMIT_SECONDS


def attached_workers(view: View) -> int:
    """Return how many workers are alive and serve the committed generation."""
    heads = (view.slots.head(worker) for worker in range(view.slots.workers))
    return sum(1 for head in heads if is_attached(view, head))


def wanted_workers(view: View) -> int:
    """Return how many workers must be attached for the instance to be ready: half of them."""
    return -(-view.slots.workers // 2)


def reasons_not_ready(view: View) -> list[str]:
    """Return why this instance cannot serve; nothing when it can.

    At least half of the workers must be attached; a failed refresh never makes it unready.
    """
    reasons = []
    if view.control[Word.IS_DRAINING]:
        reasons.append("the instance is draining")
    if view.generation is None:
        reasons.append("this worker has not attached the served generation")
    else:
        reasons += [f"dataset {name} is not loaded yet" for name in view.generation.missing()]
    attached = attached_workers(view)
    if attached < wanted_workers(view):
        reasons.append(f"{attached} of {view.slots.workers} workers are attached")
    return reasons


def dataset_names(view: View) -> set[str]:
    """Return every dataset there is: those that are served, and those that are about to be."""
    served = view.generation.catalog.datasets if view.generation else {}
    return {*served, *view.board()["datasets"]}


def age_seconds(snapshot: Snapshot, now: float) -> float:
    """Return how old a snapshot's watermark is, at least 0."""
    return max(0.0, now - snapshot.watermark / 1e6)


def is_stale(generation: Generation, dataset: str, now: float) -> bool:
    """Tell whether a dataset is stale for any of its endpoints."""
    snapshot, minutes = generation.snapshots.get(dataset), window_minutes(generation, dataset)
    return (
        snapshot is not None and minutes is not None and age_seconds(snapshot, now) > minutes * 60
    )


def window_minutes(generation: Generation, dataset: str) -> float | None:
    """Return the narrowest freshness window of a dataset's endpoints, None without any."""
    windows = [e.max_staleness_minutes for e in generation.catalog.endpoints_of(dataset)]
    return min((minutes for minutes in windows if minutes is not None), default=None)


def pin_of(generation: Generation, dataset: str, told: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the snapshot a dataset stays on and who said so, `config` or `operator`.

    `told` is what the board says of it; before its first word the config is all that is known.
    """
    if "pin" in told:
        pin: dict[str, str] | None = told["pin"]
        return pin
    served = generation.catalog.datasets.get(dataset)
    if served is None or served.pin is None:
        return None
    return {"snapshot_id": served.pin, "by": "config"}


def moment(seconds: float | None) -> str | None:
    """Return a time, seconds since the epoch, as text; None for never."""
    return timestamp_text(int(seconds * 1e6)) if seconds else None
