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
from offloader.service.worker.mode_status import mode_status
from offloader.service.worker.path_status import path_status
from offloader.service.worker.text_status import text_status
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
    generation, told = view.generation, view.board()
    return {
        "service": "offloader",
        "version": __version__,
        "ready": not reasons,
        "reasons": reasons,
        "generation": view.control.generation(),
        "config_revision": generation.catalog.revision if generation else None,
        "datasets": _datasets(generation, told["datasets"], now) if generation else {},
    }


def dataset_names(view: View) -> set[str]:
    """Return every dataset there is: those that are served, and those that are about to be."""
    served = view.generation.catalog.datasets if view.generation else {}
    return {*served, *view.board()["datasets"]}


def diagnostics(view: View, now: float) -> dict[str, Any]:
    """Return what `/diagnostics` shows: the status, and the insides of every dataset."""
    document, told = status(view, now), view.board()
    for name, shown in document["datasets"].items():
        shown.update(_insides(name, view.generation, told["datasets"].get(name, {})))
    return {
        **document,
        "started_at": timestamp_text(view.control[Word.STARTED_AT_US]),
        "committed_at": timestamp_text(view.control[Word.COMMITTED_AT_US]),
        "last_swap_seconds": view.control[Word.SWAP_DURATION_NS] / 1e9,
        "building": sorted(n for n, one in told["datasets"].items() if one.get("is_building")),
        "config_sync": _config_sync(told.get("config")),
        "processes": _processes(view),
        "memory": {
            "shared_bytes": view.control[Word.SHARED_BYTES],
            "limit_bytes": view.control[Word.LIMIT_BYTES],
        },
        "disk": {
            "cache_free_bytes": told.get("cache_free_bytes"),
            "state_saved": told.get("is_state_saved"),
        },
        "instance": told.get("instance"),
        "segment_store": told.get("segment_store"),
    }


def age_seconds(snapshot: Snapshot, now: float) -> float:
    """Return how old a snapshot's watermark is, at least 0."""
    return max(0.0, now - snapshot.watermark / 1e6)


def is_stale(generation: Generation, dataset: str, now: float) -> bool:
    """Tell whether a dataset is stale for any of its endpoints."""
    snapshot, minutes = generation.snapshots.get(dataset), _window_minutes(generation, dataset)
    return (
        snapshot is not None and minutes is not None and age_seconds(snapshot, now) > minutes * 60
    )


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


def _datasets(generation: Generation, told: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        name: _dataset(generation, name, told.get(name, {}), now)
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
        "pinned": pin_of(generation, name, told) is not None,
        "rolled_back": bool(told.get("rolled_back")),
    }


def _state(snapshot: Snapshot | None, told: Mapping[str, Any]) -> str:
    if told.get("is_building"):
        return "building"
    if not told.get("is_ok", True):
        return "refresh_failing" if snapshot else "failed"
    return "active" if snapshot else "waiting"


def _insides(name: str, generation: Generation | None, told: Mapping[str, Any]) -> dict[str, Any]:
    if generation is None:
        return {}
    snapshot = generation.snapshots.get(name)
    return {
        "active": asdict(snapshot) if snapshot else None,
        "previous": told.get("previous"),
        "pinned": pin_of(generation, name, told),
        "rolled_back": told.get("rolled_back", []),
        "quarantined_snapshots": told.get("quarantined_snapshots", []),
        "quarantined_parts": told.get("quarantined", 0),
        "last_attempt": told.get("attempt"),
        "source_reachable": told.get("is_reachable"),
        "refreshes": told.get("outcomes", {}),
        "contract_pending": told.get("is_contract_pending", False),
        "max_staleness_minutes": _window_minutes(generation, name),
        **path_status(generation, name),
        **text_status(generation, name),
        **mode_status(generation, name),
    }


def _window_minutes(generation: Generation, dataset: str) -> float | None:
    windows = [e.max_staleness_minutes for e in generation.catalog.endpoints_of(dataset)]
    return min((minutes for minutes in windows if minutes is not None), default=None)


def _config_sync(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what the reloader says of the config; None before its first word."""
    if told is None:
        return None
    return {
        "enabled": told.get("sync_enabled", False),
        "ok": told.get("ok", True),
        "revision": told.get("revision"),
        "pending": told.get("pending", []),
        "problems": told.get("problems", []),
        "error": told.get("error"),
        "failing_since": _moment(told.get("failing_at")),
        "checked_at": _moment(told.get("checked_at")),
        "location": told.get("location"),
        "fetched_at": _moment(told.get("fetched_at")),
    }


def _moment(seconds: float | None) -> str | None:
    """Return a time, seconds since the epoch; None for never."""
    return timestamp_text(int(seconds * 1e6)) if seconds else None


def _processes(view: View) -> dict[str, Any]:
    workers = []
    for number in range(view.slots.workers):
        head = view.slots.head(number)
        shown = {"pid": head[Head.PID], "attached_generation": head[Head.ATTACHED]}
        workers.append({**shown, "connections": head[Head.CONNECTIONS]})
    return {
        "workers": workers,
        "workers_attached": attached_workers(view),
        "worker_restarts": view.control[Word.WORKER_RESTARTS],
        "reloader": {"pid": view.slots.reloader()[Head.PID]},
        "reloader_restarts": view.control[Word.RELOADER_RESTARTS],
    }
