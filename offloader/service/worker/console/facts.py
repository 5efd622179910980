"""Facts for the console's lists of a name and a text: of a dataset, and of the instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offloader.service.worker.console.words import NOTHING, ago, amount, moment, plural, size, span

_MOST_PATHS = 20


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know; `is_id` is set on an id, which is shown as it is written."""

    name: str
    text: str
    is_id: bool = False


def facts_of(told: Mapping[str, Any], now: float) -> tuple[Fact, ...]:
    """Return the insides of one dataset; `told` is what `/diagnostics` says of it."""
    return known(_facts(told, now))


def known(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts that say something."""
    return tuple(fact for fact in facts if fact.text not in ("", NOTHING))


def _facts(told: Mapping[str, Any], now: float) -> Iterable[Fact]:
    active, previous = told.get("active") or {}, told.get("previous") or {}
    attempt, pin = told.get("last_attempt") or {}, told.get("pinned") or {}
    yield Fact("Watermark", moment((told.get("freshness") or {}).get("watermark")))
    yield Fact("Published", moment(active.get("created_at")))
    yield Fact("Previous snapshot", previous.get("snapshot_id", "none"), is_id=True)
    yield Fact("Pinned", f"{pin['snapshot_id']}, by {pin['by']}" if pin else "")
    yield Fact("Rolled back", ", ".join(told.get("rolled_back") or ()), is_id=True)
    yield Fact("Quarantined", ", ".join(_quarantined(told)), is_id=True)
    yield Fact("Damaged parts put away", _some(told.get("quarantined_parts")))
    yield Fact("Last attempt", _attempt(attempt, now))
    yield Fact("Last look", ago(told.get("looked_at"), now))
    yield Fact("Source", _source(told, now))
    yield Fact("Looks by outcome", _counts(told.get("refreshes") or {}))
    yield Fact("New contract", "waits for its build" if told.get("contract_pending") else "")
    yield Fact("Access paths", "; ".join(_paths(told.get("access_paths") or ())))
    yield Fact("No room for paths", "; ".join(_paths(told.get("dropped_access_paths") or ())))
    yield Fact("Row texts", _texts(told.get("row_texts") or ()))
    yield Fact("Parts", _parts(told.get("part_bytes") or {}))
    yield Fact("Endpoints", _counts(told.get("serving_modes") or {}))
    yield Fact("Remote files", _remote(told.get("remote_files")))


def _quarantined(told: Mapping[str, Any]) -> list[str]:
    return [
        f"{one['snapshot_id']} ({one['reason']})" if one.get("reason") else one["snapshot_id"]
        for one in told.get("quarantined_snapshots") or ()
    ]


def _attempt(attempt: Mapping[str, Any], now: float) -> str:
    if not attempt:
        return NOTHING
    outcome = attempt.get("code") or "served"
    took = f", took {span(attempt['duration_seconds'])}" if attempt.get("duration_seconds") else ""
    subject = attempt.get("snapshot_id") or "the source"
    return f"{subject}: {outcome}, {ago(attempt.get('at'), now)}{took}"


def _source(told: Mapping[str, Any], now: float) -> str:
    if told.get("source_reachable") is None:
        return "not asked yet"
    if told["source_reachable"]:
        return "answers"
    since = told.get("source_unreachable_since")
    return f"does not answer, since {ago(since, now)}" if since else "does not answer"


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(count)}" for name, count in sorted(counts.items()))


def _number(count: object) -> str:
    return amount(count) if isinstance(count, int) else str(count)


def _paths(paths: Iterable[Mapping[str, Any]]) -> list[str]:
    shown = [", ".join(path["columns"]) for path in paths]
    rest = len(shown) - _MOST_PATHS
    return [*shown[:_MOST_PATHS], *([f"and {rest} more"] if rest > 0 else [])]


def _texts(texts: Iterable[Mapping[str, Any]]) -> str:
    sizes = [one.get("bytes", 0) for one in texts]
    return f"{plural(len(sizes), 'set')}, {size(sum(sizes))}" if sizes else ""


def _parts(parts: Mapping[str, int]) -> str:
    sizes = {name.replace("_", " "): count for name, count in parts.items() if count}
    return ", ".join(f"{name} {size(count)}" for name, count in sizes.items())


def _remote(files: Mapping[str, int] | None) -> str:
    if not files:
        return ""
    return f"{plural(files['files'], 'file')}, {size(files['size_bytes'])}"


def _some(count: int | None) -> str:
    return amount(count) if count else ""
