"""Read `/metrics` as Prometheus does."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.service_process import Running


def families(service: Running) -> dict[str, Metric]:
    """Return every metric family by name."""
    reply = service.ask_admin("/metrics")
    assert reply.status == 200
    return {family.name: family for family in text_string_to_metric_families(reply.body.decode())}


def samples(service: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(service).values()
        for sample in family.samples
    }


def value(service: Running, name: str, **labels: str) -> float:
    """Return one sample, 0 when it is not there."""
    return samples(service).get((name, frozenset(labels.items())), 0.0)
