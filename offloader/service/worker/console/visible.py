"""What of `/diagnostics` is shown to whoever has no admin token: a list of what may be, no more.

It is what `/status` and `/metrics` tell them anyway: states, codes and numbers. No text of an
error, no path, no process id, no reason that an operator gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Document = Mapping[str, Any]

_INSTANCE = (
    *("service", "version", "ready", "reasons", "generation", "config_revision", "time"),
    *("uptime_seconds", "last_swap_seconds", "building"),
)
_DATASET = (
    *("state", "required", "snapshot_id", "row_count", "freshness", "max_staleness_minutes"),
    *("size_bytes", "memory", "source_reachable", "quarantined_parts"),
)
_ITEM = ("area", "severity", "dataset", "code", "runbook")
_SWAP = ("at", "kind", "dataset", "from", "to", "outcome", "by", "code", "seconds", "generation")


def visible(document: Document) -> dict[str, Any]:
    """Return the document without what only the admin token shows."""
    processes, verdict = document.get("processes", {}), document.get("verdict", {})
    return {
        **_only(document, _INSTANCE),
        "verdict": {
            **_only(verdict, ("area", "summary")),
            "items": [_only(item, _ITEM) for item in verdict.get("items", [])],
        },
        "datasets": {name: _dataset(one) for name, one in document["datasets"].items()},
        "last_swaps": [_only(one, _SWAP) for one in document.get("last_swaps", [])],
        "build": [_only(one, ("dataset", "step")) for one in document.get("build", [])],
        "processes": {
            **_only(processes, ("workers_attached", "worker_restarts", "reloader_restarts")),
            "workers": [
                _only(one, ("is_attached", "in_flight")) for one in processes.get("workers", [])
            ],
        },
        "memory": _only(document.get("memory", {}), ("shared_bytes", "limit_bytes")),
        "disk": _only(document.get("disk", {}), ("cache_free_bytes",)),
        "config_sync": _only(document.get("config_sync") or {}, ("enabled", "ok")),
        "segment_store": _only(document.get("segment_store") or {}, ("ok", "parts", "bytes")),
    }


def _dataset(one: Document) -> dict[str, Any]:
    return {
        **_only(one, _DATASET),
        "pinned": bool(one.get("pinned")),
        "rolled_back": bool(one.get("rolled_back")),
    }


def _only(document: Document, names: Iterable[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}
