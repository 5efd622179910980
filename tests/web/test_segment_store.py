"""Replicas that share segments: the same answers, built once, whatever the store does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.emulators import GcsEmulator, gcs_emulator
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import Running, running
from tests.web.metric_values import value

TARGETS = (
    "/v1/endpoints/usage_rows?account_id=account_0&limit=7",
    "/v1/endpoints/usage_by_account",
)


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsEmulator]:
    with gcs_emulator() as emulator:
        emulator.make_bucket("shared")
        yield emulator


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project")


def answers(service: Running, project: UsageProject) -> list[tuple[int, bytes, str | None]]:
    """Return status, body and ETag of some requests."""
    headers = project.authorization("tenant_1")
    replies = [service.ask(target, headers) for target in TARGETS]
    return [(one.status, one.body, one.headers.get("etag")) for one in replies]


def told(service: Running) -> Any:
    return service.diagnostics()["segment_store"]


def test_one_replica_builds_and_others_fetch(
    gcs: GcsEmulator, project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next snapshot as the first; bodies and ETags are the same to the byte."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    environ = {"segment_store": "gs://shared/segments", "workers": "1"}
    with running(project.root, tmp_path / "one", **environ) as first:
        # 1. What was built is uploaded after it is served.
        first.wait(lambda: told(first)["parts"]["uploaded"] == 6)
        assert told(first)["parts"]["missing"] == 6
        before = answers(first, project)
        # 2. A replica that begins with nothing builds nothing.
        with running(project.root, tmp_path / "two", **environ) as second:
            assert second.events("build_started") == []
            second.wait(lambda: told(second)["parts"]["fetched"] == 6)
            assert answers(second, project) == before
            assert value(second, "offloader_segment_store_total", result="fetched") == 6
            assert value(second, "offloader_segment_store_ok") == 1
        # 3. So it is with the next snapshot.
        publish(project, usage_table(900), "s0002", watermark="2026-06-02T00:00:00Z")
        first.wait(lambda: told(first)["parts"]["uploaded"] == 12)
        with running(project.root, tmp_path / "two", **environ) as second:
            second.wait(lambda: answers(second, project) == answers(first, project))
            assert second.events("build_started") == []
        assert answers(first, project) != before


def test_a_store_that_is_gone_changes_nothing_but_the_time(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens where it should be: the segment is built, and it is told why."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    environ = {"segment_store": "gs://shared/segments", "workers": "1"}
    with running(project.root, tmp_path / "cache", **environ) as service:
        assert len(service.events("build_started")) == 1
        assert len(service.events("segment_store_failed")) == 1
        service.wait(lambda: told(service)["ok"] is False)
        assert told(service)["last_error"]["code"] == "store_unreachable"
        assert {status for status, _, _ in answers(service, project)} == {200}
