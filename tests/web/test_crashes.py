"""Processes that die or hang: each comes back, or the service ends and says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.projects import UsageProject, usage_project
from tests.service_process import Running, running
from tests.web.altered import alter
from tests.web.served import PLAIN, slow_project
from tests.web.test_start_stop import stopped_builder

BACK_SECONDS = 60.0


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=100)


def ended(service: Running, seconds: float = BACK_SECONDS) -> int:
    """Return the exit code of a service that ends by itself."""
    return service.process.wait(timeout=seconds)


def test_a_wedged_worker_is_replaced(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process is as good as dead: it is killed, and another one takes its place."""
    limit = "from offloader.web import supervisor\n\nsupervisor.WORKER_WEDGED_SECONDS = 6.0"
    alter(monkeypatch, tmp_path, limit)
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        first, second = service.worker_pids()
        os.kill(first, signal.SIGSTOP)
        service.wait(lambda: service.events("process_wedged"), BACK_SECONDS)
        service.wait(lambda: service.worker_pids() not in ([first, second], [0, second]))
        service.wait(service.is_complete, BACK_SECONDS)
        assert service.worker_pids()[1] == second
        (line,) = service.events("process_wedged")
        assert (line["process_name"], line["pid"]) == ("Sanic-Server-0-0", first)
        (line,) = service.events("process_died")
        assert line["exit_code"] == -signal.SIGKILL


def test_a_worker_that_dies_at_every_start_ends_the_service(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the budget is spent: exit 1, a line that names it, and nothing left over."""
    budget = """
from pathlib import Path
from offloader.service.main import watchdog
from offloader.web.worker import Worker

watchdog.MAX_QUICK_DEATHS = 3
if os.environ.get("SANIC_WORKER_NAME") == "Sanic-Server-1-0" and Path(GATE).exists():
    Worker.start_beating = lambda worker: os._exit(7)
"""
    gate = tmp_path / "gate"
    alter(monkeypatch, tmp_path, budget.replace("GATE", repr(str(gate))))
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        gate.touch()
        os.kill(service.worker_pids()[1], signal.SIGKILL)
        assert ended(service) == 1
    codes = [line["exit_code"] for line in service.events("process_died")]
    assert codes in ([-9, 7, 7], [-9, 7, 7, 7])  # whether it had been well when it was killed
    (line,) = service.events("giving_up")
    assert line["reason"] == "Sanic-Server-1-0 died 3 times right after its start"


def test_a_worker_that_dies_before_all_came_up_ends_the_service(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: the worker manager alone would wait for it for half a minute."""
    death = """
from offloader.web.worker import Worker

if os.environ.get("SANIC_WORKER_NAME") == "Sanic-Server-1-0":
    Worker.start_beating = lambda worker: os._exit(7)
"""
    alter(monkeypatch, tmp_path, death)
    with running(project.root, tmp_path / "cache", until="started") as service:
        assert ended(service) == 1
    (line,) = service.events("giving_up")
    assert line["reason"] == "Sanic-Server-1-0 died before every worker came up"


def test_a_worker_that_fails_at_its_start_ends_the_service(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing but the service: the worker manager's own way is to kill the process group."""
    failure = """
from offloader.web.worker import Worker

def fail(worker):
    raise RuntimeError("this worker cannot start")

Worker.attach = fail
"""
    alter(monkeypatch, tmp_path, failure)
    with running(project.root, tmp_path / "cache", until="started") as service:
        assert ended(service) == 1
    assert len(service.events("giving_up")) == 1


def state_server(service: Running) -> int:
    """Return the pid of the worker manager's state server: the first process it starts."""
    return min(service.pids_of("spawn_main"), key=started_at)


def started_at(pid: int) -> tuple[int, int]:
    """Return when a process was started, in ticks; pids begin anew at some point."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[19]), pid


def test_without_its_state_server_the_service_ends(project: UsageProject, tmp_path: Path) -> None:
    """The worker manager cannot work without it: exit 1 for a fresh start, and no hanging."""
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        os.kill(state_server(service), signal.SIGKILL)
        assert ended(service) == 1
    assert len(service.events("giving_up")) == 1


def test_a_drain_ends_well_without_the_state_server(project: UsageProject, tmp_path: Path) -> None:
    """The stop is main's own and needs nothing of the worker manager."""
    with running(project.root, tmp_path / "cache", drain_seconds="2") as service:
        service.wait(service.is_complete)
        pid = state_server(service)
        service.process.send_signal(signal.SIGTERM)
        service.wait(lambda: service.events("draining"))
        os.kill(pid, signal.SIGKILL)
        assert ended(service) == 0


def test_nothing_outlives_a_main_that_is_killed(tmp_path: Path) -> None:
    """Workers, reloader, builder and the state server are gone, even those that are stopped."""
    slow = slow_project(tmp_path / "project")
    with running(slow.root, tmp_path / "cache", until="started") as service:
        stopped_builder(service)
        service.wait(service.is_complete)
        processes = service.diagnostics()["processes"]
        os.kill(processes["workers"][0]["pid"], signal.SIGSTOP)
        os.kill(processes["reloader"]["pid"], signal.SIGSTOP)
        assert len(service.leftovers()) >= 7
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        service.wait(lambda: not service.leftovers())
    with running(slow.root, tmp_path / "cache") as service:
        assert service.ask(PLAIN, slow.authorization("tenant_0")).status == 200
