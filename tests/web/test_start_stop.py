"""How the process starts, cold and warm, and how it drains."""

from __future__ import annotations

import http.client
import os
import signal
import time
from pathlib import Path

import pytest

from tests.projects import UsageProject, usage_project
from tests.service_process import Running, running
from tests.web.served import PLAIN, slow_project

BUILDER = "offloader.service.builder.process"
LIVE_SECONDS = 2.0


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
    """While a build goes on: `/live` 200 within 2 s, `/ready` 503 with reasons, answers 503."""
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
        service.wait(lambda: _state(service) == "building", 5.0)
        refusals = [service.ask("/healthz"), service.ask(PLAIN, key)]
        assert [(reply.status, reply.code) for reply in refusals] == [(503, "not_ready")] * 2
        assert [reply.headers["retry-after"] for reply in refusals] == ["5", "5"]
        assert service.ask(PLAIN).status == 401
        assert service.ask("/v1/endpoints/absent", key).status == 404
        assert service.ask_admin("/metrics").status == 200
        os.kill(pid, signal.SIGCONT)
        service.wait(service.is_ready)
        assert service.ask(PLAIN, key).status == 200
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


def test_sigterm_drains(project: UsageProject, tmp_path: Path) -> None:
    """Unready first; both ports go on and lose their callers; then exit 0 and a quiet log."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", drain_seconds="1.5") as service:
        kept = http.client.HTTPConnection(*service.api, timeout=10)
        kept.request("GET", PLAIN, headers=key)
        response = kept.getresponse()
        body = response.read()
        assert response.headers["connection"] == "keep-alive"
        service.process.send_signal(signal.SIGTERM)
        service.wait(lambda: service.events("draining"))
        ready = service.ask_admin("/ready")
        assert ready.status == 503
        assert ready.document["reasons"] == ["the instance is draining"]
        assert service.ask_admin("/live").status == 200
        assert service.ask("/healthz").status == 503
        reply = service.ask(PLAIN, key)
        assert (reply.status, reply.headers["connection"], reply.body) == (200, "close", body)
        refused = service.ask(f"{PLAIN}?limit=0", key)
        assert (refused.status, refused.headers["connection"]) == (422, "close")
        kept.request("GET", PLAIN, headers=key)
        response = kept.getresponse()
        assert (response.headers["connection"], response.read()) == ("close", body)
        kept.close()
        assert service.process.wait(timeout=15) == 0
        service.wait(lambda: service.events("stopped"))
    assert [line for line in service.lines if line.get("level") != "info"] == []


def test_sigterm_ends_a_build(slow: UsageProject, tmp_path: Path) -> None:
    """A builder under way, even one that hangs, does not outlive the service."""
    with running(slow.root, tmp_path / "cache", until="started") as service:
        stopped_builder(service)
        service.wait(service.is_complete)
        assert service.end(signal.SIGTERM, 10.0) == 0
