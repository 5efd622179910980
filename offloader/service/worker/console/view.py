"""The console's page as plain values: everything decided, sorted and worded; nothing rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from offloader.service.worker.console.datasets import DatasetRow, dataset_rows
from offloader.service.worker.console.facts import Fact
from offloader.service.worker.console.instance import (
    Change,
    Process,
    Use,
    changes_of,
    config_facts,
    config_problems,
    processes_of,
    uses_of,
    workers_text,
)
from offloader.service.worker.console.problems import (
    Area,
    Level,
    Problem,
    areas_of,
    problems_of,
)
from offloader.service.worker.console.visible import visible
from offloader.service.worker.console.words import amount, milliseconds, moment, span
from offloader.service.worker.traffic import (
    BOUNDS_SECONDS,
    Traffic,
    quantile_seconds,
    total_of,
)

NO_ENDPOINT = "(no endpoint)"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint's answers since the start."""

    name: str
    requests: str
    refused: str
    failed: str
    mean: str
    slow: str
    rows: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows. `counts` are the numbers its charts are drawn from."""

    is_open: bool
    has_token: bool
    level: Level
    word: str
    sentence: str
    reasons: tuple[str, ...]
    areas: tuple[Area, ...]
    problems: tuple[Problem, ...]
    version: str
    up: str
    at: str
    datasets: tuple[DatasetRow, ...]
    total: EndpointRow
    endpoints: tuple[EndpointRow, ...]
    counts: Mapping[str, Any]
    uses: tuple[Use, ...]
    workers: str
    processes: tuple[Process, ...]
    config: tuple[Fact, ...]
    config_problems: tuple[str, ...]
    changes: tuple[Change, ...]


def page_of(
    diagnostics: Mapping[str, Any],
    traffic: Sequence[Traffic],
    now: float,
    *,
    is_open: bool,
    has_token: bool,
) -> Page:
    """Return the page; what only the token shows is left out unless it `is_open`.

    `diagnostics` is the document of `/diagnostics`, `now` seconds since the epoch; `has_token`
    tells whether this instance has an admin token at all.
    """
    document = diagnostics if is_open else visible(diagnostics)
    problems, total = problems_of(document, now), total_of(traffic)
    level, word = _verdict(document, problems)
    return Page(
        is_open=is_open,
        has_token=has_token,
        level=level,
        word=word,
        sentence=document.get("verdict", {}).get("summary", ""),
        reasons=tuple(document.get("reasons", ())),
        areas=areas_of(problems),
        problems=problems,
        version=document["version"],
        up=span(document.get("uptime_seconds")),
        at=moment(document.get("time")),
        datasets=tuple(dataset_rows(document, now, is_open=is_open)),
        total=_endpoint(total),
        endpoints=tuple(_endpoint(one) for one in traffic if one.requests or one.endpoint),
        counts=_counts(total),
        uses=uses_of(document),
        workers=workers_text(document),
        processes=processes_of(document) if is_open else (),
        config=config_facts(document, now),
        config_problems=config_problems(document),
        changes=changes_of(document, now),
    )


def _verdict(document: Mapping[str, Any], problems: tuple[Problem, ...]) -> tuple[Level, str]:
    if not document.get("ready"):
        return "bad", "Not ready"
    if any(problem.level in ("bad", "warn") for problem in problems):
        return "warn", "Serving, and needs attention"
    return "good", "Serving"


def _endpoint(one: Traffic) -> EndpointRow:
    return EndpointRow(
        name=one.endpoint or NO_ENDPOINT,
        requests=amount(one.requests),
        refused=amount(one.refused),
        failed=amount(one.failed),
        mean=milliseconds(one.mean_seconds),
        slow=milliseconds(quantile_seconds(one.buckets, 0.99)),
        rows=amount(one.rows_per_request),
    )


def _counts(total: Traffic) -> dict[str, Any]:
    counted = asdict(total)
    names = ("requests", "refused", "failed", "seconds", "buckets")
    return {**{name: counted[name] for name in names}, "bounds_seconds": BOUNDS_SECONDS}
