"""How the process starts, cold and warm."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import UsageProject, usage_project
from tests.service_process import Running, running
from tests.web.altered import alter
from tests.web.served import PLAIN, slow_project

BUILDER = "offloader.service.builder.process"
LIVE_SECONDS = 30.0  # two on an idle machine; a busy one may be ten times slower


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=100)


@pytest.fixture
def slow(tmp_path: Path) -> UsageProject:
    return slow_project(tmp_path / "project")


def stopped_builder(service: Running) -> int:
    """Wait for a builder that has asked the kernel to die with its parent, and stop it."""
    begun: list[int] = []

    def is_begun() -> bool:
        begun[:] = [pid for pid in service.pids_of(BUILDER) if _oom_score(pid) == "1000"]
        return bool(begun)

    service.wait(is_begun)
    (pid,) = begun
    os.kill(pid, signal.SIGSTOP)
    return pid


def _oom_score(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def test_a_cold_start_is_live_at_once_and_ready_after_its_build(
    slow: UsageProject, tmp_path: Path
) -> None:
    """While a build goes on: `/live` 200 soon, `/ready` 503 with reasons, answers 503."""
    key = slow.authorization("tenant_0")
    began = time.monotonic()
    with running(slow.root, tmp_path / "cache", until="started") as service:
        pid = stopped_builder(service)
        service.wait(service.is_live)
        live_seconds = time.monotonic() - began
        service.wait(service.is_complete)
        ready = service.ask_admin("/ready")
        assert (ready.status, ready.document) == (
            503,
            {"ready": False, "reasons": ["dataset usage is not loaded yet"]},
        )
        assert service.ask_admin("/status").document["datasets"]["usage"]["snapshot_id"] is None
        service.wait(lambda: _state(service) == "building")
        refusals = [service.ask("/healthz"), service.ask(PLAIN, key)]
        assert [(reply.status, reply.code) for reply in refusals] == [(503, "not_ready")] * 2
        assert [reply.headers["retry-after"] for reply in refusals] == ["5", "5"]
        assert service.ask(PLAIN).status == 401
        assert service.ask("/v1/endpoints/absent", key).status == 404
        assert service.ask_admin("/metrics").status == 200
        os.kill(pid, signal.SIGCONT)
        service.wait(service.is_ready)
        assert service.ask(PLAIN, key).status == 200
    print(f"live in {live_seconds:.2f} s")  # noqa: T201
    assert live_seconds < LIVE_SECONDS


def _state(service: Running) -> str:
    return str(service.ask_admin("/status").document["datasets"]["usage"]["state"])


def test_a_warm_start_builds_nothing(project: UsageProject, tmp_path: Path) -> None:
    """What the cache holds is served without the source."""
    with running(project.root, tmp_path / "cache"):
        pass
    project.manifest_path.unlink()
    began = time.monotonic()
    with running(project.root, tmp_path / "cache") as service:
        print(f"ready in {time.monotonic() - began:.2f} s")  # noqa: T201
        assert service.ask(PLAIN, project.authorization("tenant_1")).status == 200
        assert len(service.events("segments_loaded")) == 1
        assert service.events("build_started") == []


SLOW_VOLUME = """
import time
from offloader.service.reloader import ledger

save = ledger.save_state

def save_slowly(*arguments):
    time.sleep(1.0)
    save(*arguments)

ledger.save_state = save_slowly
"""


def test_a_stop_waits_until_what_is_served_is_written(
    project: UsageProject, tmp_path: Path
) -> None:
    """However slow the volume is: the next start serves it without the source."""
    with pytest.MonkeyPatch.context() as patched:
        alter(patched, tmp_path, SLOW_VOLUME)
        with running(project.root, tmp_path / "cache"):
            pass
    project.manifest_path.unlink()
    with running(project.root, tmp_path / "cache") as service:
        assert service.events("build_started") == []


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """Lower this process's soft limit of open descriptors; give the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard - 1), hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_all_descriptors_there_are_may_be_used(
    project: UsageProject, tmp_path: Path, few_descriptors: int
) -> None:
    """Main, the workers and the reloader raise the soft limit to the hard one."""
    with running(project.root, tmp_path / "cache", workers="1") as service:
        processes = service.diagnostics()["processes"]
        pids = [service.process.pid, processes["reloader"]["pid"], *service.worker_pids()]
        limits = [resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids]
        assert limits == [(few_descriptors, few_descriptors)] * 3
