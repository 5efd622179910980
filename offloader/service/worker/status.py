"""The documents of `/status` and `/diagnostics`, as one worker sees the instance.

`docs/operations/diagnostics.md` has every field of both; a test holds the two together.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from offloader import __version__
from offloader.errors import StartError
from offloader.query.cell_text import timestamp_text
from offloader.service.worker.dataset_status import dataset_insides, dataset_status
from offloader.service.worker.processes import private_bytes, processes
from offloader.service.worker.redacted_words import redacted_words
from offloader.service.worker.verdict import verdict, without_words
from offloader.service.worker.view import View, moment, reasons_not_ready
from offloader.settings.resources import memory_available, memory_bytes
from offloader.shared.control import Word

DIAGNOSTICS_VERSION = 1
_REFUSED = ("refused", "config_refused")
_FAILED = ("failed", "config_unreachable")


def status(view: View, now: float) -> dict[str, Any]:
    """Return what `/status` shows; `now` is seconds since the epoch."""
    told = view.board()
    document = _status(view, told, now)
    return {**document, "verdict": without_words(document["verdict"])}


def diagnostics(view: View, now: float) -> dict[str, Any]:
    """Return what `/diagnostics` shows: the status, and the insides.

    It takes milliseconds and changes nothing: any thread may call it.
    """
    told = view.board()
    document, shown = _status(view, told, now), processes(view)
    for name, one in document["datasets"].items():
        assert view.generation is not None
        one.update(dataset_insides(view.generation, name, told["datasets"].get(name, {})))
    started_at = view.control[Word.STARTED_AT_US]
    return redacted_words(
        {
            "diagnostics_version": DIAGNOSTICS_VERSION,
            "time": moment(now),
            **document,
            "python": platform.python_version(),
            "instance": told.get("instance"),
            "started_at": timestamp_text(started_at),
            "uptime_seconds": round(max(0.0, now - started_at / 1e6), 1),
            "committed_at": timestamp_text(view.control[Word.COMMITTED_AT_US]),
            "last_swap_seconds": view.control[Word.SWAP_DURATION_NS] / 1e9,
            "building": sorted(n for n, one in told["datasets"].items() if one.get("is_building")),
            "build": _work(told["datasets"], now),
            "last_swaps": [_event(one) for one in reversed(told.get("events", []))],
            "config_sync": _config_sync(told.get("config")),
            "processes": shown,
            "memory": _memory(view, private_bytes(shown)),
            "disk": {
                "cache_free_bytes": told.get("cache_free_bytes"),
                "cache_total_bytes": told.get("cache_total_bytes"),
                "cache_bytes": told.get("cache_bytes"),
                "state_saved": told.get("is_state_saved"),
            },
            "segment_store": _segment_store(told.get("segment_store")),
        }
    )


def _status(view: View, told: Mapping[str, Any], now: float) -> dict[str, Any]:
    reasons, generation = reasons_not_ready(view), view.generation
    names: Iterable[str] = sorted(generation.catalog.datasets) if generation else ()
    datasets = told["datasets"]
    return {
        "service": "offloader",
        "version": __version__,
        "ready": not reasons,
        "reasons": reasons,
        "verdict": verdict(view, told, now),
        "generation": view.control.generation(),
        "config_revision": generation.catalog.revision if generation else None,
        "datasets": {
            name: dataset_status(generation, name, datasets.get(name, {}), now)
            for name in names
            if generation is not None
        },
    }


def _work(datasets: Mapping[str, Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Return what is being done for which dataset, what takes longest first."""
    shown = []
    for name, told in sorted(datasets.items(), key=lambda item: item[1].get("step_at", 0.0)):
        if told.get("is_looking") or told.get("step"):
            since = told["step_at"]
            shown.append(
                {
                    "dataset": name,
                    "step": told["step"] or "looking",
                    "since": moment(since),
                    "seconds": round(max(0.0, now - since), 1),
                }
            )
    return shown


def _event(told: Mapping[str, Any]) -> dict[str, Any]:
    kind = told["kind"]
    outcome = "refused" if kind in _REFUSED else "failed" if kind in _FAILED else "done"
    return {
        "at": moment(told["at"]),
        "kind": kind,
        "dataset": told["dataset"] or None,
        "by": told["by"],
        "from": told["from_snapshot"] or None,
        "to": told["to_snapshot"] or None,
        "outcome": outcome,
        "code": told["code"],
        "message": told["message"],
        "seconds": told["seconds"] or None,
        "generation": told["generation"] or None,
    }


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
        "failing_since": moment(told.get("failing_at")),
        "checked_at": moment(told.get("checked_at")),
        "location": told.get("location"),
        "fetched_at": moment(told.get("fetched_at")),
    }


def _memory(view: View, used_bytes: int) -> dict[str, Any]:
    """Return what snapshots and processes take, and what there is."""
    root, control = Path("/"), view.control
    try:
        container_bytes: int | None = memory_bytes(root)
    except StartError:
        container_bytes = None
    shared_bytes, limit_bytes = control[Word.SHARED_BYTES], control[Word.LIMIT_BYTES]
    available_bytes = memory_available(root)
    return {
        "shared_bytes": shared_bytes,
        "mapped_bytes": control[Word.MAPPED_BYTES],
        "limit_bytes": limit_bytes,
        "headroom_bytes": max(0, min(limit_bytes - shared_bytes, available_bytes)),
        "private_bytes": used_bytes,
        "container_limit_bytes": container_bytes,
        "container_available_bytes": available_bytes,
    }


def _segment_store(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if told is None:
        return None
    error = told["last_error"]
    return {**told, "last_error": error and {**error, "at": moment(error["at"])}}
