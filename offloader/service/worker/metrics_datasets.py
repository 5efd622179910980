"""Metrics of datasets: what is served of each, and how its refreshes go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from offloader.service.worker.generation import Generation
from offloader.service.worker.metrics_families import counter, gauge
from offloader.service.worker.view import age_seconds, is_stale, pin_of

# Exposed from the start: an increase from nothing to 1 is none.
OUTCOMES = ("unchanged", "swapped", "refused", "failed")


def dataset_metrics(
    generation: Generation | None, told: Mapping[str, Any], now: float
) -> Iterator[Metric]:
    """Yield the metrics of every dataset; `told` is what the reloader's board says of each."""
    yield from _served(generation, told, now)
    yield from _refreshes(told)
    yield from _kept_away(told, now)


def _served(generation: Generation | None, told: Mapping[str, Any], now: float) -> Iterator[Metric]:
    age = gauge("snapshot_age_seconds", "Age of the served watermark.", "dataset")
    stale = gauge("snapshot_stale", "The served snapshot is stale for an endpoint.", "dataset")
    rows = gauge("snapshot_rows", "Rows of the served snapshot.", "dataset")
    size = gauge("snapshot_bytes", "Shared memory of the served snapshot.", "dataset")
    pinned = gauge("snapshot_pinned", "The dataset stays on a chosen snapshot.", "dataset")
    if generation is not None:
        for name, snapshot in generation.snapshots.items():
            age.add_metric([name], age_seconds(snapshot, now))
            stale.add_metric([name], is_stale(generation, name, now))
            rows.add_metric([name], snapshot.row_count)
            size.add_metric([name], generation.segment_bytes[name])
            is_pinned = pin_of(generation, name, told.get(name, {})) is not None
            pinned.add_metric([name], is_pinned)
    yield from (age, stale, rows, size, pinned)


def _refreshes(datasets: Mapping[str, Any]) -> Iterator[Metric]:
    ok = gauge("refresh_ok", "The last refresh succeeded.", "dataset")
    duration = gauge("refresh_duration_seconds", "How long the last refresh took.", "dataset")
    reachable = gauge("source_reachable", "The source answered when last asked.", "dataset")
    refreshes = counter("refreshes", "Refreshes by outcome.", "dataset", "outcome")
    for name, told in datasets.items():
        ok.add_metric([name], told["is_ok"])
        duration.add_metric([name], told["duration_seconds"])
        reachable.add_metric([name], told["is_reachable"])
        for outcome, count in {**dict.fromkeys(OUTCOMES, 0), **told["outcomes"]}.items():
            refreshes.add_metric([name, outcome], count)
    yield from (ok, duration, reachable, refreshes)


def _kept_away(datasets: Mapping[str, Any], now: float) -> Iterator[Metric]:
    pinned = gauge("snapshot_pinned_seconds", "For how long the dataset is pinned.", "dataset")
    parts = gauge("quarantined_segments", "Damaged parts put away.", "dataset")
    snapshots = gauge("quarantined_snapshots", "Snapshots an operator put away.", "dataset")
    for name, told in datasets.items():
        pinned_at = told.get("pinned_at") or 0.0
        pinned.add_metric([name], max(0.0, now - pinned_at) if pinned_at else 0.0)
        parts.add_metric([name], told["quarantined"])
        snapshots.add_metric([name], len(told.get("quarantined_snapshots", ())))
    yield from (pinned, parts, snapshots)
