"""Signals to main, and to its whole process group: nothing but main takes them."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import Running, marked, running
from tests.web.altered import alter
from tests.web.served import PLAIN

ROWS = 100
FAR_SECONDS = "3600"


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=ROWS)


def served(service: Running, key: dict[str, str]) -> str | None:
    """Return which snapshot is served."""
    return service.ask(PLAIN, key).headers.get("offloader-snapshot-id")


def test_sighup_checks_everything_now(project: UsageProject, tmp_path: Path) -> None:
    """Long before the next look is due; sent to the whole group, it ends none of them."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", refresh_interval=FAR_SECONDS) as service:
        service.wait(service.is_complete)
        pids = service.pids_of("spawn_main")  # a builder may only be about to end
        publish(project, usage_table(ROWS, factor=2), "s0002")
        assert served(service, key) == "s0001"
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda: served(service, key) == "s0002")
        (line,) = service.events("check_requested")
        assert line["is_forwarded"] is True
        publish(project, usage_table(ROWS, factor=3), "s0003")
        os.killpg(service.process.pid, signal.SIGHUP)
        service.wait(lambda: served(service, key) == "s0003")
        assert set(pids) <= set(marked(service.mark))


def test_ctrl_c_is_for_main(project: UsageProject, tmp_path: Path) -> None:
    """A terminal sends it to the whole group: a quiet end without a drain, of idle callers too."""
    with (
        running(project.root, tmp_path / "cache", drain_seconds="30") as service,
        closing(http.client.HTTPConnection(*service.api, timeout=60)) as idle,
        closing(http.client.HTTPConnection(*service.api, timeout=60)) as used,
    ):
        idle.connect()
        used.request("GET", PLAIN)
        assert used.getresponse().read()
        began = time.monotonic()
        os.killpg(service.process.pid, signal.SIGINT)
        assert service.process.wait(timeout=60) == 0
        assert time.monotonic() - began < 25.0  # not after the drain
    assert [line for line in service.lines if line.get("level") != "info"] == []


def test_a_second_signal_ends_at_once(project: UsageProject, tmp_path: Path) -> None:
    """It does not wait for the drain, leaves nothing behind, and says by which it ended."""
    with running(project.root, tmp_path / "cache", drain_seconds="60") as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait(lambda: service.events("draining"))
        began = time.monotonic()
        assert service.end(signal.SIGINT) == 128 + signal.SIGINT
        assert time.monotonic() - began < 30.0  # long before the drain ends


MOMENTS: Mapping[str, Callable[[Running], object]] = {
    "the cache was loaded": lambda service: service.events("starting"),
    "the first process was started": lambda service: service.pids_of("spawn_main"),
    "all processes were started": lambda service: len(service.pids_of("spawn_main")) == 4,
    "one worker answers": Running.is_live,
}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        *((moment, signal.SIGTERM) for moment in MOMENTS),
        ("all processes were started", signal.SIGINT),
    ],
)
def test_a_signal_during_the_start_ends_it(
    project: UsageProject, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    """At every step, with 0, quietly, and with nothing left over."""
    with running(project.root, tmp_path / "cache", until="started") as service:
        service.wait(lambda: MOMENTS[moment](service))
        assert service.end(number) == 0
        service.wait(lambda: service.events("stopped"))
    assert [line for line in service.lines if line.get("level") != "info"] == []


SIGNALLED = """
import signal
import threading
from offloader.service.main import memory

load = memory.load_first_generation

def load_signalled(*arguments):
    os.killpg(0, signal.{name})
    threading.Event().wait({seconds})
    return load(*arguments)

memory.load_first_generation = load_signalled
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_cache_is_loaded_ends_it(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Before anything was started there is nothing to drain."""
    alter(monkeypatch, tmp_path, SIGNALLED.format(name=number.name, seconds=60))
    with running(project.root, tmp_path / "cache", until="ended") as service:
        assert service.process.wait(timeout=45) == 0
    assert service.lines == []


def test_sighup_at_the_start_ends_nothing(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither main while it loads, nor anything that it has just started."""
    alter(monkeypatch, tmp_path, SIGNALLED.format(name="SIGHUP", seconds=0))
    with running(project.root, tmp_path / "cache", until="started") as service:

        def is_complete_in_spite_of_it() -> bool:
            os.killpg(service.process.pid, signal.SIGHUP)
            return service.is_ready() and service.is_complete()

        service.wait(is_complete_in_spite_of_it)
        assert service.events("process_died") == []
