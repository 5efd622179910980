"""The instance itself, as the console shows it: memory, disk, processes, config, what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offloader.service.worker.console.datasets import Bar, bar
from offloader.service.worker.console.facts import Fact, known
from offloader.service.worker.console.problems import Level
from offloader.service.worker.console.words import NOTHING, ago, amount, moment, plural, size, span

LOW_DISK_BYTES = 1 << 30
NO_DISK_BYTES = 64 << 20  # what a start needs
_KINDS: Mapping[str, str] = {
    "swapped": "swapped in",
    "rolled_back": "rolled back",
    "config_applied": "applied",
    "config_refused": "refused",
    "config_unreachable": "unreachable",
}
_FAILED_KINDS = ("refused", "failed", "config_refused", "config_unreachable")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Use:
    """A name, what is used of it, and a bar where there is a limit."""

    name: str
    text: str
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """One process; what is not known, or not shown without the token, is a dash."""

    name: str
    level: Level
    state: str
    pid: str = NOTHING
    up: str = NOTHING
    memory: str = NOTHING
    restarts: str = NOTHING


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the timeline; `at` is ISO 8601.

    `before` and `after` are what was served then and since; of a failure `after` is what was not
    taken, and `before` is empty.
    """

    at: str
    clock: str
    ago: str
    level: Level
    kind: str
    subject: str
    before: str
    after: str
    code: str
    by: str
    message: str


def uses_of(document: Document) -> tuple[Use, ...]:
    """Return the bars of memory and disk."""
    return tuple(use for use in _uses(document) if use.text)


def processes_of(document: Document) -> tuple[Process, ...]:
    """Return main, every worker and the reloader."""
    told = document.get("processes", {})
    main, reloader = told.get("main", {}), told.get("reloader", {})
    up = main.get("uptime_seconds", document.get("uptime_seconds"))
    workers = enumerate(told.get("workers", []))
    return (
        Process("main", "good", "runs", _pid(main), span(up), size(main.get("private_bytes"))),
        *(_worker(number, one) for number, one in workers),
        _reloader(reloader, told.get("reloader_restarts", 0)),
    )


def config_facts(document: Document, now: float) -> tuple[Fact, ...]:
    """Return what there is to say of config, generation and segment store."""
    return known(_config_facts(document, now))


def config_problems(document: Document) -> tuple[str, ...]:
    """Return each problem of the newest config; none without the token."""
    told = document.get("config_sync") or {}
    return tuple(
        f"{one.get('file', '')} {one.get('path', '')}: {one.get('message', '')}".strip()
        for one in told.get("problems", [])
    )


def changes_of(document: Document, now: float) -> tuple[Change, ...]:
    """Return the timeline, the newest first."""
    return tuple(_change(one, now) for one in document.get("last_swaps", []))


def _uses(document: Document) -> Iterable[Use]:
    memory, disk = document.get("memory", {}), document.get("disk", {})
    used, limit = memory.get("shared_bytes", 0), memory.get("limit_bytes", 0)
    text = f"{size(used)} of {size(limit)}"
    yield _filled("In memory", bar(used, limit, text, warn_at=0.85, bad_at=0.97))
    total, left = memory.get("container_limit_bytes"), memory.get("container_available_bytes")
    if total and left is not None:
        text = f"{size(total - left)} of {size(total)}"
        yield _filled("Container", bar(total - left, total, text, warn_at=0.85, bad_at=0.95))
    if memory.get("mapped_bytes"):
        yield Use("In the page cache", size(memory["mapped_bytes"]))
    yield from _disk_uses(disk)


def _disk_uses(disk: Document) -> Iterable[Use]:
    free, total = disk.get("cache_free_bytes"), disk.get("cache_total_bytes")
    if free is None:
        return
    level: Level = "bad" if free < NO_DISK_BYTES else "warn" if free < LOW_DISK_BYTES else "good"
    text = f"{size(free)} free" + (f" of {size(total)}" if total else "")
    if total:
        yield _filled("Cache volume", Bar(round(100 * (total - free) / total), level, text))
    else:
        yield Use("Cache volume", text)
    kinds = disk.get("cache_bytes") or {}
    yield Use("On the volume", ", ".join(f"{name} {size(n)}" for name, n in kinds.items() if n))
    if disk.get("state_saved") is False:
        yield Use("State file", "not written: a rollback would not outlive a restart")


def _filled(name: str, filled: Bar) -> Use:
    """Return a bar that says in words, too, that it is nearly full."""
    word = {"warn": ", nearly full", "bad": ", full"}.get(filled.level, "")
    return Use(name, filled.text + word, filled)


def _worker(number: int, told: Document) -> Process:
    is_attached = told.get("is_attached", True)
    return Process(
        f"worker {number}",
        "good" if is_attached else "warn",
        "serves" if is_attached else "not attached",
        _pid(told),
        span(told.get("uptime_seconds")),
        size(told.get("private_bytes")),
    )


def _reloader(told: Document, restarts: int) -> Process:
    return Process(
        "reloader",
        "good",
        "watches",
        _pid(told),
        span(told.get("uptime_seconds")),
        size(told.get("private_bytes")),
        amount(restarts),
    )


def _pid(told: Document) -> str:
    return str(told["pid"]) if told.get("pid") else NOTHING


def _config_facts(document: Document, now: float) -> Iterable[Fact]:
    told, store = document.get("config_sync") or {}, document.get("segment_store") or {}
    yield Fact("Config revision", (document.get("config_revision") or NOTHING)[:12], is_id=True)
    yield Fact("Config sync", _sync(told))
    yield Fact("Failing since", ago(told.get("failing_since"), now))
    yield Fact("Config from", told.get("location") or "", is_id=True)
    yield Fact("Fetched", moment(told.get("fetched_at")))
    yield Fact("Last checked", ago(told.get("checked_at"), now))
    yield Fact("Waits for a build", ", ".join(told.get("pending", [])))
    yield Fact("Generation", amount(document.get("generation")))
    yield Fact("Last swap took", span(document.get("last_swap_seconds")))
    yield Fact("Segment store", _store(store))
    yield Fact("Instance number", _instance(document))


def _sync(told: Document) -> str:
    if told.get("ok") is False:
        return "failing: the config before it stays in effect"
    return "on, in effect" if told.get("enabled") else "off"


def _store(store: Document) -> str:
    if not store:
        return ""
    parts = store.get("parts", {})
    counts = ", ".join(f"{n.replace('_', ' ')} {amount(c)}" for n, c in parts.items() if c)
    word = "answers" if store.get("ok") else "does not answer: segments are built here"
    return f"{word}; {counts}" if counts else word


def _instance(document: Document) -> str:
    number = document.get("instance")
    return NOTHING if number is None else amount(number)


def _change(told: Document, now: float) -> Change:
    kind, at = told.get("kind", ""), told.get("at", "")
    is_failure, before = kind in _FAILED_KINDS, told.get("from") or ""
    return Change(
        at=at,
        clock=moment(at),
        ago=ago(at, now),
        level="warn" if is_failure else "good",
        kind=_KINDS.get(kind, kind.replace("_", " ")),
        subject=told.get("dataset") or "config",
        before="" if is_failure or before == told.get("to") else before,
        after=told.get("to") or "",
        code=told.get("code") or "",
        by=told.get("by") or "",
        message=told.get("message") or "",
    )


def workers_text(document: Document) -> str:
    """Return how many workers serve, and how often processes were brought back."""
    told = document.get("processes", {})
    workers = told.get("workers", [])
    restarts = told.get("worker_restarts", 0) + told.get("reloader_restarts", 0)
    attached = told.get("workers_attached", 0)
    return f"{attached} of {plural(len(workers), 'worker')} serve, {plural(restarts, 'restart')}"
