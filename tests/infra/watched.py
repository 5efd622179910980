"""A real service that exposes every metric there is, and Prometheus' view of it.

It has a segment store, endpoints that read files per request, one with a response cache, and one
with a freshness window.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.emulators import s3_emulator
from tests.projects import usage_by_account, write_yaml
from tests.service_process import Running, running
from tests.web.metric_values import samples
from tests.web.remote_project import authorization, publish_usage, remote_project

PLAIN, GROUPED = "/v1/endpoints/usage_rows", "/v1/endpoints/usage_by_account"
SCANNED = "/v1/endpoints/archive_rows"
# What Prometheus adds to each series, and what it makes itself.
TARGET_LABELS = {"job": "offloader", "instance": ""}
ITS_OWN = {"up": set[str](), "ALERTS": {"alertname", "alertstate"}}

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Watched:
    """The service, and the labels of all its series by the name of the sample."""

    service: Running
    series: dict[str, list[dict[str, str]]]

    def ask(self, target: str, tenant: int = 0) -> int:
        """Ask the API as one tenant; return the status."""
        return self.service.ask(target, authorization(f"tenant_{tenant}")).status

    def labels_of(self, name: str) -> set[str]:
        """Return the labels a series of this name has in Prometheus; fail on an unknown name."""
        found = ITS_OWN.get(name)
        if found is None:
            assert name in self.series, f"{name} is not exposed"
            found = {label for one in self.series[name] for label in one}
        return found | TARGET_LABELS.keys()


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Run the service until the block ends, after some requests of each kind."""
    root = folder / "project"
    remote_project(root)
    cached = {**usage_by_account(), "cache": {"policy": "snapshot"}}
    write_yaml(root / "endpoints" / "usage_by_account.yml", cached)
    for dataset in ("usage", "archive"):
        publish_usage(root / "data", dataset)
    with s3_emulator() as emulator:
        emulator.make_bucket("bucket")
        prefix = "OFFLOADER_"
        reached = {key.removeprefix(prefix).lower(): v for key, v in emulator.environ.items()}
        reached["segment_store"] = "s3://bucket/segments"
        with running(root, folder / "cache", config_sync_interval="60", **reached) as service:
            service.wait(service.is_complete)
            made = Watched(service, {})
            for target in (PLAIN, GROUPED, SCANNED):
                assert made.ask(target) == 200
            service.wait(lambda: _is_hit(service))
            service.wait(lambda: _is_told(service))
            for name, labels in samples(service):
                made.series.setdefault(name, []).append(dict(labels))
            yield made


def _is_hit(service: Running) -> bool:
    """Ask once more; tell whether the answer was a kept one: each worker keeps its own."""
    reply = service.ask(GROUPED, authorization("tenant_0"))
    return reply.headers["offloader-cache"] == "hit"


def _is_told(service: Running) -> bool:
    """Tell whether the reloader has told all it tells: the size of the volume comes aside."""
    names = {name for name, _ in samples(service)}
    return {"offloader_cache_disk_size_bytes", "offloader_segment_store_ok"} <= names
