"""What is wrong, as the console shows it: whose it is, what it means, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from offloader.service.worker.console.meanings import meaning_of
from offloader.service.worker.console.words import ago, sentence

Level = Literal["good", "warn", "bad", "idle"]
LEVELS: tuple[Level, ...] = ("bad", "warn", "idle", "good")
AREAS: Mapping[str, str] = {
    "service": "Service",
    "config": "Config",
    "environment": "Environment",
    "upstream": "Upstream data",
}
NOTE = "To know"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `details` are single problems of a manifest or a project.

    `dataset` is empty for one of the whole instance; `message` and `hint` are, without the token.
    One whose level is `idle` is worth to know, and nobody's fault.
    """

    area: str
    level: Level
    dataset: str
    code: str
    meaning: str
    message: str
    hint: str
    since: str
    stays: str
    runbook: str
    runbook_title: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """Whose a problem can be, and how many there are."""

    name: str
    level: Level
    count: int


def problems_of(document: Mapping[str, Any], now: float) -> tuple[Problem, ...]:
    """Return all problems, the worst first; `document` is that of `/diagnostics`."""
    items = document.get("verdict", {}).get("items", [])
    found = [_problem(item, document, now) for item in items]
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def areas_of(problems: tuple[Problem, ...]) -> tuple[Area, ...]:
    """Return every area with the worst level of its problems."""
    made = []
    for name in AREAS.values():
        levels = [one.level for one in problems if one.area == name and one.level != "idle"]
        worst: Level = min(levels, key=LEVELS.index) if levels else "good"
        made.append(Area(name, worst, len(levels)))
    return tuple(made)


def runbook_link(place: str) -> tuple[str, str]:
    """Return where the console shows a runbook, and its title; `place` is `<page>#<anchor>`."""
    anchor = place.partition("#")[2]
    return f"runbooks#{anchor}", anchor.replace("-", " ").capitalize()


def _problem(item: Mapping[str, Any], document: Mapping[str, Any], now: float) -> Problem:
    dataset, code = item.get("dataset") or "", item.get("code", "")
    told = document["datasets"].get(dataset, {})
    attempt = told.get("last_attempt") or {}
    is_attempt = bool(code) and attempt.get("code") == code
    link, title = runbook_link(item.get("runbook", ""))
    return Problem(
        area=AREAS.get(item.get("area", ""), NOTE),
        level=_level(item, told),
        dataset=dataset,
        code=code,
        meaning=sentence(meaning_of(code)),
        message=sentence(item.get("message", "")),
        hint=item.get("hint", ""),
        since=ago(attempt.get("at"), now) if is_attempt else "",
        stays=_stays(dataset, told),
        runbook=link,
        runbook_title=title,
        details=_details(attempt) if is_attempt else (),
    )


def _level(item: Mapping[str, Any], told: Mapping[str, Any]) -> Level:
    """Return `bad` only for what is not served, or threatens what is."""
    if item.get("severity") == "note":
        return "idle"
    if item.get("severity") != "failing" or item.get("area") == "config":
        return "warn"
    is_served = bool(told.get("snapshot_id"))
    return "warn" if told and (is_served or not told.get("required", True)) else "bad"


def _stays(dataset: str, told: Mapping[str, Any]) -> str:
    if not dataset:
        return ""
    served = told.get("snapshot_id")
    return f"{served} goes on being served." if served else "Nothing of it is served."


def _details(attempt: Mapping[str, Any]) -> tuple[str, ...]:
    """Return every problem of an attempt; a single one is what the message says already."""
    found = attempt.get("problems") or ()
    return tuple(map(_detail, found)) if len(found) > 1 else ()


def _detail(problem: Mapping[str, Any]) -> str:
    place = ": ".join(str(problem[name]) for name in ("file", "path") if problem.get(name))
    text = f"{problem.get('code', '')}: {problem.get('message', '')}"
    return f"{place}: {text}" if place else text
