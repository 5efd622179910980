"""Readiness and status of the instance, as one worker sees them. Nothing here blocks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from offloader import __version__
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


def attached_workers(view: View) -> int:
    """Return how many workers are alive and serve the committed generation."""
    committed, now_ns = view.control.generation(), time.monotonic_ns()
    heads = (view.slots.head(worker) for worker in range(view.slots.workers))
    return sum(
        1
        for head in heads
        if head[Head.ATTACHED] >= committed > 0
        and now_ns - head[Head.HEARTBEAT_NS] < HEARTBEAT_LIMIT_SECONDS * 1e9
    )


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
    wanted = -(-view.slots.workers // 2)
    attached = attached_workers(view)
    if attached < wanted:
        reasons.append(f"{attached} of {view.slots.workers} workers are attached")
    return reasons


def status(view: View, now: float) -> dict[str, Any]:
    """Return what `/status` shows; `now` is seconds since the epoch."""
    reasons = reasons_not_ready(view)
    generation = view.generation
    return {
        "service": "offloader",
        "version": __version__,
        "ready": not reasons,
        "reasons": reasons,
        "generation": view.control.generation(),
        "config_revision": generation.catalog.revision if generation else None,
        "datasets": _datasets(generation, view.board(), now) if generation else {},
    }


def diagnostics(view: View, now: float) -> dict[str, Any]:
    """Return what `/diagnostics` shows: the status, and the insides of every dataset."""
    document = status(view, now)
    told = view.board()
    for name, shown in document["datasets"].items():
        shown.update(_insides(name, view.generation, told["datasets"].get(name, {})))
    return {
        **document,
        "started_at": timestamp_text(view.control[Word.STARTED_AT_US]),
        "committed_at": timestamp_text(view.control[Word.COMMITTED_AT_US]),
        "last_swap_seconds": view.control[Word.SWAP_DURATION_NS] / 1e9,
        "processes": _processes(view),
        "memory": {
            "shared_bytes": view.control[Word.SHARED_BYTES],
            "limit_bytes": view.control[Word.LIMIT_BYTES],
        },
        "disk": {"cache_free_bytes": told.get("cache_free_bytes")},
    }


def age_seconds(snapshot: Snapshot, now: float) -> float:
    """Return how old a snapshot's watermark is, at least 0."""
    return max(0.0, now - snapshot.watermark / 1e6)


def is_stale(generation: Generation, dataset: str, now: float) -> bool:
    """Tell whether a dataset is stale for any of its endpoints."""
    snapshot = generation.snapshots.get(dataset)
    windows = [e.max_staleness_minutes for e in generation.catalog.endpoints_of(dataset)]
    limits = [minutes * 60 for minutes in windows if minutes is not None]
    return snapshot is not None and bool(limits) and age_seconds(snapshot, now) > min(limits)


def _datasets(generation: Generation, told: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        name: _dataset(generation, name, told["datasets"].get(name, {}), now)
        for name in generation.catalog.datasets
    }


def _dataset(
    generation: Generation, name: str, told: Mapping[str, Any], now: float
) -> dict[str, Any]:
    snapshot = generation.snapshots.get(name)
    freshness = None
    if snapshot is not None:
        freshness = {
            "watermark": timestamp_text(snapshot.watermark),
            "age_seconds": int(age_seconds(snapshot, now)),
            "stale": is_stale(generation, name, now),
        }
    return {
        "state": _state(snapshot, told),
        "required": generation.catalog.datasets[name].required,
        "snapshot_id": snapshot.snapshot_id if snapshot else None,
        "row_count": snapshot.row_count if snapshot else None,
        "freshness": freshness,
    }


def _state(snapshot: Snapshot | None, told: Mapping[str, Any]) -> str:
    if told.get("is_building"):
        return "building"
    if not told.get("is_ok", True):
        return "refresh_failing" if snapshot else "failed"
    return "active" if snapshot else "waiting"


def _insides(name: str, generation: Generation | None, told: Mapping[str, Any]) -> dict[str, Any]:
    snapshot = generation.snapshots.get(name) if generation else None
    return {
        "active": asdict(snapshot) if snapshot else None,
        "previous": told.get("previous"),
        "pinned": generation.catalog.datasets[name].pin if generation else None,
        "last_attempt": told.get("attempt"),
        "source_reachable": told.get("is_reachable"),
        "quarantined_parts": told.get("quarantined", 0),
        "refreshes": told.get("outcomes", {}),
        "access_paths": _access_paths(name, generation),
    }


def _access_paths(name: str, generation: Generation | None) -> list[list[str]]:
    for served in generation.endpoints.values() if generation else ():
        if served.plan is not None and served.endpoint.dataset == name:
            return [list(path.columns) for path in served.plan.segment.paths]
    return []


def _processes(view: View) -> dict[str, Any]:
    workers = []
    for number in range(view.slots.workers):
        head = view.slots.head(number)
        workers.append({"pid": head[Head.PID], "attached_generation": head[Head.ATTACHED]})
    return {
        "workers": workers,
        "workers_attached": attached_workers(view),
        "worker_restarts": view.control[Word.WORKER_RESTARTS],
        "reloader": {"pid": view.slots.reloader()[Head.PID]},
        "reloader_restarts": view.control[Word.RELOADER_RESTARTS],
    }
