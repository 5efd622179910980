"""Metrics of requests: the sums of what all workers counted, by endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from offloader.service.worker.metrics_families import PREFIX, counter, value
from offloader.service.worker.view import View
from offloader.shared.slots import FAILED_SCANS, Counts

NO_ENDPOINT = "-"
# Exposed from the start: an increase from nothing to 1 is none.
STATUSES = ("200", "500")


def request_metrics(view: View) -> Iterator[Metric]:
    """Yield what was counted; an endpoint that the project no longer has keeps its counts."""
    rows = {NO_ENDPOINT: 0, **(view.generation.rows if view.generation else {})}
    totals = {endpoint: view.slots.totals(row) for endpoint, row in rows.items()}
    yield from _answers(totals)
    yield from _work(totals)
    yield from _scans(totals, _remote_endpoints(view))
    in_flight = view.slots.in_flight()
    yield value("requests_in_flight", "Requests being answered.", in_flight)


def _answers(totals: dict[str, Counts]) -> Iterator[Metric]:
    requests = counter("requests", "Requests answered.", "endpoint", "status")
    shed = counter("shed_requests", "Requests refused as busy, under load.", "endpoint")
    durations = HistogramMetricFamily(
        PREFIX + "request_duration_seconds", "Time to answer.", labels=["endpoint"]
    )
    for endpoint, counts in totals.items():
        for status, count in {**dict.fromkeys(STATUSES, 0), **dict(counts.statuses())}.items():
            requests.add_metric([endpoint, status], count)
        shed.add_metric([endpoint], counts.shed)
        durations.add_metric([endpoint], list(counts.buckets()), counts.duration_seconds)
    yield from (requests, shed, durations)


def _work(totals: dict[str, Counts]) -> Iterator[Metric]:
    scanned = counter("rows_scanned", "Rows that queries looked at.", "endpoint")
    cache = counter("response_cache", "Answers by response cache.", "endpoint", "result")
    for endpoint, counts in totals.items():
        scanned.add_metric([endpoint], counts.rows_scanned)
        for result, count in counts.cache_results():
            cache.add_metric([endpoint, result], count)
    yield from (scanned, cache)


def _scans(totals: dict[str, Counts], remote: set[str]) -> Iterator[Metric]:
    """Yield what only endpoints with `remote_scan` count, now or before."""
    read = counter("scan_bytes_read", "Bytes read from stores to answer.", "endpoint")
    failed = counter("scan_failures", "Scans of files that failed.", "endpoint", "reason")
    for endpoint, counts in totals.items():
        _add_scans(endpoint, counts, read, failed, is_remote=endpoint in remote)
    yield from (read, failed)


def _add_scans(
    endpoint: str,
    counts: Counts,
    read: CounterMetricFamily,
    failed: CounterMetricFamily,
    *,
    is_remote: bool,
) -> None:
    failures = dict(counts.failed_scans())
    if is_remote or counts.bytes_read or failures:
        read.add_metric([endpoint], counts.bytes_read)
        for reason in FAILED_SCANS:
            failed.add_metric([endpoint, reason], failures.get(reason, 0))


def _remote_endpoints(view: View) -> set[str]:
    if view.generation is None:
        return set()
    return {name for name, served in view.generation.endpoints.items() if served.is_remote}
