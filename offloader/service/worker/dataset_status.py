"""What `/status` and `/diagnostics` say of one dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from offloader.query.cell_text import timestamp_text
from offloader.service.state import Snapshot
from offloader.service.worker.generation import Generation
from offloader.service.worker.mode_status import mode_status
from offloader.service.worker.path_status import path_status
from offloader.service.worker.text_status import text_status
from offloader.service.worker.view import age_seconds, is_stale, moment, pin_of, window_minutes


def dataset_status(
    generation: Generation, name: str, told: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Return what anybody may see; `told` is what the board says of it, `now` in seconds."""
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


def dataset_insides(generation: Generation, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else an operator may see; what is not known before the board's word is null."""
    snapshot = generation.snapshots.get(name)
    marks = told.get("quarantined_snapshots", [])
    return {
        "active": _snapshot(asdict(snapshot)) if snapshot else None,
        "previous": _snapshot(told.get("previous")),
        "pinned": pin_of(generation, name, told),
        "rolled_back": told.get("rolled_back", []),
        "quarantined_snapshots": [{**mark, "at": moment(mark["at"])} for mark in marks],
        "quarantined_parts": told.get("quarantined", 0),
        "last_attempt": _attempt(told.get("attempt")),
        "source_reachable": told.get("is_reachable"),
        "source_unreachable_since": moment(told.get("unreachable_since")),
        "looked_at": moment(told.get("looked_at")),
        "refreshes": dict(sorted(told.get("outcomes", {}).items())),
        "contract_pending": told.get("is_contract_pending", False),
        "max_staleness_minutes": window_minutes(generation, name),
        **path_status(generation, name),
        **text_status(generation, name),
        **mode_status(generation, name),
        **_sizes(generation, name),
    }


def _state(snapshot: Snapshot | None, told: Mapping[str, Any]) -> str:
    if told.get("is_building"):
        return "building"
    if not told.get("is_ok", True):
        return "refresh_failing" if snapshot else "failed"
    return "active" if snapshot else "waiting"


def _snapshot(known: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a snapshot with its times, microseconds since the epoch, as text."""
    if known is None:
        return None
    times = {name: timestamp_text(known[name]) for name in ("watermark", "created_at")}
    return {**known, **times}


def _attempt(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if told is None else {**told, "at": moment(told["at"])}


def _sizes(generation: Generation, name: str) -> dict[str, Any]:
    """Return the bytes of the segment, together and by what its parts are for."""
    opened = generation.opened.get(name)
    if opened is None:
        return {"size_bytes": generation.segment_bytes.get(name), "part_bytes": None}
    segment = opened.segment
    paths = sum(path.size_bytes for path in segment.paths)
    texts = sum(one.size_bytes for one in segment.texts)
    columns = opened.size_bytes - paths - texts
    return {
        "size_bytes": opened.size_bytes,
        "part_bytes": {"columns": columns, "access_paths": paths, "row_texts": texts},
    }
