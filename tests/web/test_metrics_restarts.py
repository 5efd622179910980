"""Counters outlive the processes that count: none ever goes back while the service runs."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.projects import usage_project
from tests.service_process import Running, running
from tests.web.metric_values import samples, value
from tests.web.served import PLAIN

REQUESTS = 12
BACK_SECONDS = 60.0
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(slots=True)
class Watch:
    """The counters of a service as they were seen last; fails when one is lost or goes back."""

    service: Running
    last: Samples = field(default_factory=dict)

    def look(self) -> None:
        """Look once; a worker that was killed while it answered tells nothing."""
        with suppress(OSError, http.client.HTTPException):
            found = _counters(self.service)
            back = {key: (was, found.get(key)) for key, was in self.last.items()}
            assert {k: pair for k, pair in back.items() if (pair[1] or 0) < pair[0]} == {}
            self.last = found

    def until(self, condition: Callable[[], bool]) -> None:
        """Look on until a condition holds."""

        def is_so() -> bool:
            self.look()
            with suppress(OSError, http.client.HTTPException):
                return condition()
            return False

        self.service.wait(is_so, BACK_SECONDS)


def _counters(service: Running) -> Samples:
    endings = ("_total", "_bucket", "_sum", "_count")
    return {key: number for key, number in samples(service).items() if key[0].endswith(endings)}


def test_no_counter_goes_back_when_a_process_is_killed(tmp_path: Path) -> None:
    """A worker and the reloader at once: every sum stays, to the request, and goes on."""
    project = usage_project(tmp_path / "project", rows=100)
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        watch = Watch(service)
        for _ in range(REQUESTS):
            assert service.ask(PLAIN, key).status == 200
        watch.until(lambda: _unchanged(service) >= 3)
        looked, processes = _unchanged(service), service.diagnostics()["processes"]
        for process in (processes["workers"][0], processes["reloader"]):
            os.kill(process["pid"], signal.SIGKILL)
        watch.until(lambda: _restarts(service, "worker") == _restarts(service, "reloader") == 1)
        watch.until(service.is_complete)
        watch.until(lambda: _unchanged(service) > looked + 1)
        assert _answered(service) == REQUESTS
        assert _answered(service, "offloader_request_duration_seconds_count") == REQUESTS
        swapped = {"dataset": "usage", "outcome": "swapped"}
        assert value(service, "offloader_refreshes_total", **swapped) == 1
        assert service.ask(PLAIN, key).status == 200
        assert _answered(service) == REQUESTS + 1
        assert value(service, "offloader_requests_in_flight") == 0


def _answered(service: Running, name: str = "offloader_requests_total") -> float:
    labels = {"status": "200"} if name.endswith("_total") else {}
    return value(service, name, endpoint="usage_rows", **labels)


def _restarts(service: Running, process: str) -> float:
    return value(service, "offloader_process_restarts_total", process=process)


def _unchanged(service: Running) -> float:
    return value(service, "offloader_refreshes_total", dataset="usage", outcome="unchanged")
