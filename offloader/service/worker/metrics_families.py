"""Metric families of this service: each name begins with `offloader_`."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

PREFIX = "offloader_"


def value(name: str, text: str, number: float, **labels: str) -> GaugeMetricFamily:
    """Return a gauge that is one number; a truth is 1 or 0."""
    family = gauge(name, text, *labels)
    family.add_metric(list(labels.values()), float(number))
    return family


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """Return a gauge without samples."""
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    """Return a counter without samples; it is exposed as `<name>_total`."""
    return CounterMetricFamily(PREFIX + name, text, labels=labels)
