"""What an operator sees of a dataset's failure: log, diagnostics, metrics."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.service_process import Running
from tests.web.metric_values import samples


@dataclass(frozen=True, slots=True)
class Told:
    """What the three places say; `missing` is what they leave out."""

    code: str
    missing: tuple[str, ...]


def told(service: Running, dataset: str, codes: Collection[str], outcome: str) -> Told:
    """Compare what is told of a dataset's failure with what must be."""
    attempt = service.diagnostics()["datasets"][dataset]["last_attempt"] or {}
    code = str(attempt.get("code", ""))
    metrics = samples(service)
    is_ok = metrics.get(_key("offloader_refresh_ok", dataset=dataset))
    counted = metrics.get(_key("offloader_refreshes_total", dataset=dataset, outcome=outcome), 0.0)
    missing = []
    if code not in codes or not attempt.get("message"):
        missing.append(f"diagnostics say {attempt}")
    if is_ok != 0.0:
        missing.append(f"offloader_refresh_ok is {is_ok}")
    if not counted:
        missing.append(f"offloader_refreshes_total has no {outcome}")
    if not has_logged(service, dataset, codes):
        missing.append("the log has no refresh_failed with this code and a hint")
    return Told(code, tuple(missing))


def has_failed(service: Running, dataset: str, codes: Collection[str]) -> bool:
    """Tell whether the last work on a dataset is told as one of these failures."""
    attempt = service.diagnostics()["datasets"][dataset]["last_attempt"] or {}
    return attempt.get("code") in codes


def has_logged(service: Running, dataset: str, codes: Collection[str]) -> bool:
    """Tell whether the log names one of these causes for a dataset, and what to do."""
    return any(line["code"] in codes and line["hint"] for line in failures(service, dataset))


def failures(service: Running, dataset: str) -> list[dict[str, Any]]:
    """Return the log lines on a dataset's failures."""
    return [line for line in service.events("refresh_failed") if line.get("dataset") == dataset]


def builds(service: Running, dataset: str) -> int:
    """Return how many builds of a dataset were started."""
    started = service.events("build_started")
    return sum(1 for line in started if line["dataset"] == dataset)


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())
