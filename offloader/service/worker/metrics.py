"""Metrics: one collector over the counters in shared memory, exposed by prometheus-client.

Any worker answers for all, and a counter outlives the process that counted. Labels are dataset,
endpoint, status and the like: never a key, a tenant, a parameter or a path, and their number is
bounded by the catalog.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from offloader.service.worker.metrics_datasets import dataset_metrics
from offloader.service.worker.metrics_instance import instance_metrics
from offloader.service.worker.metrics_requests import request_metrics
from offloader.service.worker.view import View


def exposition(look: Callable[[], View], clock: Callable[[], float] = time.time) -> bytes:
    """Return all metrics in the Prometheus text format.

    `clock` is seconds since the epoch. It takes milliseconds and touches nothing that is written:
    any thread may call it.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Instance(look, clock))
    return generate_latest(registry)


class _Instance(Collector):
    def __init__(self, look: Callable[[], View], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        view, now = self._look(), self._clock()
        told = view.board()
        yield from instance_metrics(view, told)
        yield from dataset_metrics(view.generation, told["datasets"], now)
        yield from request_metrics(view)

    def describe(self) -> list[Metric]:
        return []
