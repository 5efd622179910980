"""The console's table of datasets: one row each, those that fail first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.service.worker.console.facts import Fact, facts_of
from offloader.service.worker.console.offers import Offer, offers_of, why_not
from offloader.service.worker.console.problems import LEVELS, Level
from offloader.service.worker.console.words import NOTHING, amount, size, span

STATES: Mapping[str, str] = {
    "active": "active",
    "building": "building",
    "waiting": "waiting",
    "refresh_failing": "refresh failing",
    "failed": "failed",
}
STEPS: Mapping[str, str] = {
    "queued": "waits for its build",
    "fetching": "fetching",
    "building": "building",
    "standing_still": "building, stands still",
}
MEMORY: Mapping[str, str] = {
    "shared": "memory",
    "page_cache": "page cache",
    "remote": "remote files",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of something is used: `percent` from 0 to 100, and the same in words."""

    percent: int
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One dataset. `facts`, `offers` and `no_way_back` are only there with the admin token."""

    name: str
    level: Level
    state: str
    code: str
    snapshot_id: str
    age: str
    freshness: Bar | None
    rows: str
    size: str
    memory: str
    marks: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    offers: tuple[Offer, ...] = ()
    no_way_back: str = ""


def dataset_rows(document: Mapping[str, Any], now: float, *, is_open: bool) -> list[DatasetRow]:
    """Return a row for each dataset, the worst first, then by name; `now` is epoch seconds."""
    codes = {
        item["dataset"]: item["code"]
        for item in reversed(document.get("verdict", {}).get("items", []))
        if item.get("dataset") and item.get("severity") == "failing"
    }
    steps = {one["dataset"]: one["step"] for one in document.get("build", [])}
    rows = [
        _row(name, told, codes.get(name, ""), steps.get(name, ""), now, is_open=is_open)
        for name, told in document["datasets"].items()
    ]
    return sorted(rows, key=lambda row: (LEVELS.index(row.level), row.name))


def bar(used: float, limit: float, text: str, *, warn_at: float, bad_at: float) -> Bar:
    """Return a bar that warns from a share of the limit on; an empty limit is used up."""
    share = used / limit if limit else 1.0
    level: Level = "bad" if share >= bad_at else "warn" if share >= warn_at else "good"
    return Bar(max(0, min(100, round(share * 100))), level, text)


def _row(
    name: str, told: Mapping[str, Any], code: str, step: str, now: float, *, is_open: bool
) -> DatasetRow:
    fresh = told.get("freshness")
    return DatasetRow(
        name=name,
        level=_level(told),
        state=STEPS.get(step, STATES.get(told["state"], told["state"])),
        code=code,
        snapshot_id=told.get("snapshot_id") or NOTHING,
        age=span(fresh["age_seconds"]) if fresh else NOTHING,
        freshness=_freshness(told),
        rows=amount(told.get("row_count")),
        size=size(told.get("size_bytes")),
        memory=MEMORY.get(told.get("memory") or "", NOTHING),
        marks=_marks(told),
        facts=facts_of(told, now) if is_open else (),
        offers=offers_of(told) if is_open else (),
        no_way_back=why_not(told) if is_open else "",
    )


def _level(told: Mapping[str, Any]) -> Level:
    fresh = told.get("freshness") or {}
    if told["state"] == "failed":
        return "bad" if told.get("required", True) else "warn"
    if told["state"] == "refresh_failing" or fresh.get("stale"):
        return "warn"
    return "good" if told.get("snapshot_id") else "idle"


def _freshness(told: Mapping[str, Any]) -> Bar | None:
    """Return the age against the narrowest freshness window; None when there is neither."""
    fresh, minutes = told.get("freshness"), told.get("max_staleness_minutes")
    if not fresh or minutes is None:
        return None
    age, limit = fresh["age_seconds"], minutes * 60
    word = "stale" if fresh["stale"] else "fresh"
    # A bar that is full is stale, and no worse: what is served is served on.
    made = bar(age, limit, f"{word}, {span(age)} of {span(limit)}", warn_at=1.0, bad_at=2e9)
    return Bar(made.percent, "warn" if fresh["stale"] else "good", made.text)


def _marks(told: Mapping[str, Any]) -> tuple[str, ...]:
    pin = told.get("pinned")
    by_config = isinstance(pin, Mapping) and pin.get("by") == "config"
    marks = {
        "stale": (told.get("freshness") or {}).get("stale"),
        "pinned by config" if by_config else "pinned": pin,
        "rolled back": told.get("rolled_back"),
        "source unreachable": told.get("source_reachable") is False,
        "new contract waits": told.get("contract_pending"),
        "damaged parts put away": told.get("quarantined_parts"),
        "optional": not told.get("required", True),
    }
    return tuple(mark for mark, is_set in marks.items() if is_set)
