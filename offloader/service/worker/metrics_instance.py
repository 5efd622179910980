"""Metrics of the instance: readiness, config, processes, memory and disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from offloader import __version__
from offloader.service.worker.metrics_families import counter, gauge, value
from offloader.service.worker.view import View, attached_workers, reasons_not_ready
from offloader.shared.control import Word


def instance_metrics(view: View, told: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield what is not of one dataset or endpoint; `told` is the reloader's board."""
    yield from _health(view)
    yield from _config(view, told.get("config") or {})
    yield from _processes(view)
    yield from _room(view, told)
    if told.get("segment_store"):
        yield from _segment_store(told["segment_store"])


def _health(view: View) -> Iterator[Metric]:
    control = view.control
    yield value("up", "The process answers.", 1)
    yield value("ready", "The instance can serve.", not reasons_not_ready(view))
    yield value("draining", "The instance is about to stop.", control[Word.IS_DRAINING])
    started_at = control[Word.STARTED_AT_US] / 1e6
    text = "When the instance started, in seconds since the epoch."
    yield value("start_time_seconds", text, started_at)
    yield value("build_info", "The version.", 1, version=__version__)


def _config(view: View, told: Mapping[str, Any]) -> Iterator[Metric]:
    revision = view.generation.catalog.revision if view.generation else ""
    yield value("config_info", "The revision of the served project.", 1, revision=revision)
    is_synced, is_ok = bool(told.get("sync_enabled")), bool(told.get("ok", True))
    yield value("config_sync_enabled", "Changes of the project are looked for.", is_synced)
    yield value("config_sync_ok", "The newest project is served, or is on its way.", is_ok)


def _processes(view: View) -> Iterator[Metric]:
    control = view.control
    yield value("generation", "The number of the served generation.", control.generation())
    swap_seconds = control[Word.SWAP_DURATION_NS] / 1e9
    yield value("swap_duration_seconds", "How long the last swap took.", swap_seconds)
    attached = attached_workers(view)
    workers = gauge("workers", "Workers by state.", "state")
    workers.add_metric(["attached"], attached)
    workers.add_metric(["missing"], view.slots.workers - attached)
    yield workers
    restarts = counter("process_restarts", "Processes that were brought back.", "process")
    restarts.add_metric(["worker"], control[Word.WORKER_RESTARTS])
    restarts.add_metric(["reloader"], control[Word.RELOADER_RESTARTS])
    yield restarts


def _room(view: View, told: Mapping[str, Any]) -> Iterator[Metric]:
    control = view.control
    shared, limit = control[Word.SHARED_BYTES], control[Word.LIMIT_BYTES]
    yield value("shared_memory_bytes", "Shared memory in use by segments.", shared)
    yield value("shared_memory_limit_bytes", "Shared memory segments may use.", limit)
    mapped = control[Word.MAPPED_BYTES]
    yield value("page_cache_bytes", "Segments served from files, for want of memory.", mapped)
    for key, name, text in (
        ("cache_free_bytes", "cache_disk_free_bytes", "Free bytes of the cache volume."),
        ("cache_total_bytes", "cache_disk_size_bytes", "Bytes of the cache volume."),
        ("is_state_saved", "state_saved", "The state file holds all that was decided."),
    ):
        family = gauge(name, text)
        if told.get(key) is not None:
            family.add_metric([], float(told[key]))
        yield family


def _segment_store(told: Mapping[str, Any]) -> Iterator[Metric]:
    parts = counter("segment_store", "Parts by what came of sharing them.", "result")
    for result, count in told["parts"].items():
        parts.add_metric([result], count)
    size = counter("segment_store_bytes", "Bytes of shared parts.", "result")
    for result, size_bytes in told["bytes"].items():
        size.add_metric([result], size_bytes)
    yield from (parts, size)
    yield value("segment_store_ok", "The segment store answered when last read.", told["ok"])
    is_writable = told.get("writable", True)
    yield value("segment_store_writable", "The segment store takes parts.", is_writable)
