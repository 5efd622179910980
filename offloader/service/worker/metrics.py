"""Metrics: one collector over the counters in shared memory, exposed by prometheus-client.

Any worker answers for all. Labels are dataset, endpoint, status and the like: never a key, a
tenant, a parameter or a path, and their number is bounded by the catalog.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from offloader import __version__
from offloader.service.worker.status import (
    View,
    age_seconds,
    attached_workers,
    is_stale,
    pin_of,
    reasons_not_ready,
)
from offloader.shared.control import Word

NO_ENDPOINT = "-"


def exposition(look: Callable[[], View], clock: Callable[[], float] = time.time) -> bytes:
    """Return all metrics in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Instance(look, clock))
    return generate_latest(registry)


class _Instance(Collector):
    def __init__(self, look: Callable[[], View], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        view, now = self._look(), self._clock()
        yield from _process_metrics(view)
        yield from _dataset_metrics(view, now)
        yield from _request_metrics(view)

    def describe(self) -> list[Metric]:
        return []


def _process_metrics(view: View) -> Iterator[Metric]:
    control, board = view.control, view.board()
    yield _gauge("up", "The process answers.", 1)
    yield _gauge("ready", "The instance can serve.", int(not reasons_not_ready(view)))
    yield _gauge("build_info", "The version.", 1, version=__version__)
    revision = view.generation.catalog.revision if view.generation else ""
    yield _gauge("config_info", "The revision of the served project.", 1, revision=revision)
    config = board.get("config") or {}
    is_synced, is_ok = bool(config.get("sync_enabled")), bool(config.get("ok", True))
    yield _gauge("config_sync_enabled", "Changes of the project are looked for.", int(is_synced))
    yield _gauge("config_sync_ok", "The newest project is served, or is on its way.", int(is_ok))
    yield _gauge("generation", "The number of the served generation.", control.generation())
    swap_seconds = control[Word.SWAP_DURATION_NS] / 1e9
    yield _gauge("swap_duration_seconds", "How long the last swap took.", swap_seconds)
    attached = attached_workers(view)
    workers = GaugeMetricFamily("offloader_workers", "Workers by state.", labels=["state"])
    workers.add_metric(["attached"], attached)
    workers.add_metric(["missing"], view.slots.workers - attached)
    yield workers
    restarts = _counter("process_restarts", "Processes that were brought back.", "process")
    restarts.add_metric(["worker"], control[Word.WORKER_RESTARTS])
    restarts.add_metric(["reloader"], control[Word.RELOADER_RESTARTS])
    yield restarts
    shared_bytes = control[Word.SHARED_BYTES]
    yield _gauge("shared_memory_bytes", "Shared memory in use by segments.", shared_bytes)
    limit_bytes = control[Word.LIMIT_BYTES]
    yield _gauge("shared_memory_limit_bytes", "Shared memory segments may use.", limit_bytes)
    if "cache_free_bytes" in board:
        free_bytes = board["cache_free_bytes"]
        yield _gauge("cache_disk_free_bytes", "Free bytes of the cache volume.", free_bytes)
    if board.get("segment_store"):
        yield from _segment_store_metrics(board["segment_store"])


def _segment_store_metrics(told: dict[str, Any]) -> Iterator[Metric]:
    parts = _counter("segment_store", "Parts by what came of sharing them.", "result")
    for result, count in told["parts"].items():
        parts.add_metric([result], count)
    size = _counter("segment_store_bytes", "Bytes of shared parts.", "result")
    for result, size_bytes in told["bytes"].items():
        size.add_metric([result], size_bytes)
    yield from (parts, size)
    yield _gauge("segment_store_ok", "The segment store answered when last read.", int(told["ok"]))


def _dataset_metrics(view: View, now: float) -> Iterator[Metric]:
    generation, board = view.generation, view.board()
    if generation is None:
        return
    age = _dataset_gauge("snapshot_age_seconds", "Age of the served watermark.")
    stale = _dataset_gauge("snapshot_stale", "The served snapshot is stale for an endpoint.")
    rows = _dataset_gauge("snapshot_rows", "Rows of the served snapshot.")
    size = _dataset_gauge("snapshot_bytes", "Shared memory of the served snapshot.")
    pinned = _dataset_gauge("snapshot_pinned", "The dataset stays on a chosen snapshot.")
    for name, snapshot in generation.snapshots.items():
        age.add_metric([name], age_seconds(snapshot, now))
        stale.add_metric([name], int(is_stale(generation, name, now)))
        rows.add_metric([name], snapshot.row_count)
        size.add_metric([name], generation.segment_bytes[name])
        is_pinned = pin_of(generation, name, board["datasets"].get(name, {})) is not None
        pinned.add_metric([name], int(is_pinned))
    yield from (age, stale, rows, size, pinned)
    yield from _refresh_metrics(board["datasets"])


def _refresh_metrics(datasets: dict[str, Any]) -> Iterator[Metric]:
    ok = _dataset_gauge("refresh_ok", "The last refresh succeeded.")
    duration = _dataset_gauge("refresh_duration_seconds", "How long the last refresh took.")
    reachable = _dataset_gauge("source_reachable", "The source answered when last asked.")
    quarantined = _dataset_gauge("quarantined_segments", "Damaged parts put away.")
    refreshes = _counter("refreshes", "Refreshes by outcome.", "dataset", "outcome")
    for name, told in datasets.items():
        ok.add_metric([name], int(told["is_ok"]))
        duration.add_metric([name], told["duration_seconds"])
        reachable.add_metric([name], int(told["is_reachable"]))
        quarantined.add_metric([name], told["quarantined"])
        for outcome, count in told["outcomes"].items():
            refreshes.add_metric([name, outcome], count)
    yield from (ok, duration, reachable, quarantined, refreshes)


def _request_metrics(view: View) -> Iterator[Metric]:
    requests = _counter("requests", "Requests answered.", "endpoint", "status")
    durations = HistogramMetricFamily(
        "offloader_request_duration_seconds", "Time to answer.", labels=["endpoint"]
    )
    scanned = _counter("rows_scanned", "Rows that queries looked at.", "endpoint")
    read = _counter("scan_bytes_read", "Bytes read from stores to answer.", "endpoint")
    failed = _counter("scan_failures", "Scans of files that failed.", "endpoint", "reason")
    cache = _counter("response_cache", "Answers by response cache.", "endpoint", "result")
    rows = {NO_ENDPOINT: 0, **(view.generation.rows if view.generation else {})}
    for endpoint, row in rows.items():
        counts = view.slots.totals(row)
        for status, count in counts.statuses():
            requests.add_metric([endpoint, status], count)
        buckets = list(counts.buckets())
        durations.add_metric([endpoint], buckets, counts.duration_seconds)
        scanned.add_metric([endpoint], counts.rows_scanned)
        read.add_metric([endpoint], counts.bytes_read)
        for reason, count in counts.failed_scans():
            failed.add_metric([endpoint, reason], count)
        for result, count in counts.cache_results():
            cache.add_metric([endpoint, result], count)
    yield from (requests, durations, scanned, read, failed, cache)
    in_flight = view.slots.in_flight()
    yield _gauge("requests_in_flight", "Requests being answered.", in_flight)


def _gauge(name: str, text: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"offloader_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _dataset_gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"offloader_{name}", text, labels=["dataset"])


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"offloader_{name}", text, labels=labels)
