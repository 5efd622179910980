"""What is killed comes back by itself, and what is damaged is built again."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.http_replies import Reply
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import Running, running
from tests.web.metric_values import value
from tests.web.served import GROUPED, PLAIN, slow_project
from tests.web.test_start_stop import stopped_builder

ROWS = 300
BACK_SECONDS = 60.0


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=ROWS)


def test_killed_workers_come_back(project: UsageProject, tmp_path: Path) -> None:
    """The other one answers meanwhile; counters and readiness go on; all at once comes back too."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        body = service.ask(PLAIN, key).body
        first, second = service.worker_pids()
        os.kill(first, signal.SIGKILL)
        service.wait(lambda: first not in service.worker_pids(), BACK_SECONDS)
        service.wait(service.is_complete, BACK_SECONDS)
        assert service.worker_pids()[1] == second
        with service.alone(0):
            assert service.ask(PLAIN, key).body == body
        assert value(service, "offloader_requests_total", endpoint="usage_rows", status="200") == 2
        assert value(service, "offloader_process_restarts_total", process="worker") == 1
        for pid in service.worker_pids():
            os.kill(pid, signal.SIGKILL)
        service.wait(lambda: _restarts(service) == 3 and service.is_ready(), BACK_SECONDS)
        service.wait(service.is_complete, BACK_SECONDS)
        assert service.ask(PLAIN, key).body == body
        assert len(service.events("process_died")) == 3


def _restarts(service: Running) -> float:
    try:
        return value(service, "offloader_process_restarts_total", process="worker")
    except OSError:
        return -1.0


def test_a_killed_reloader_comes_back(project: UsageProject, tmp_path: Path) -> None:
    """Nothing is built again, and the next snapshot swaps in as before."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        pid = service.diagnostics()["processes"]["reloader"]["pid"]
        os.kill(pid, signal.SIGKILL)
        service.wait(
            lambda: service.diagnostics()["processes"]["reloader"]["pid"] not in (0, pid),
            BACK_SECONDS,
        )
        assert service.ask(PLAIN, key).status == 200
        publish(project, usage_table(ROWS, factor=2), "s0002")
        service.wait(
            lambda: service.ask(PLAIN, key).headers["offloader-snapshot-id"] == "s0002",
            BACK_SECONDS,
        )
        assert [line["snapshot"] for line in service.events("build_started")] == ["s0001", "s0002"]
        assert value(service, "offloader_process_restarts_total", process="reloader") == 1


def test_a_killed_build_is_tried_again(tmp_path: Path) -> None:
    """The failure has a code and a remedy, and the service gets ready all the same."""
    project = slow_project(tmp_path / "slow")
    with running(project.root, tmp_path / "cache", until="started") as service:
        os.kill(stopped_builder(service), signal.SIGKILL)
        service.wait(lambda: service.events("refresh_failed"), BACK_SECONDS)
        (line,) = service.events("refresh_failed")
        assert line["code"] == "builder_killed"
        assert line["hint"]
        service.wait(service.is_ready, BACK_SECONDS)


def parts(cache: Path) -> list[Path]:
    """Return the parts in the cache, the smallest first."""
    folder = cache / "segments" / "usage"
    return sorted(folder.iterdir(), key=lambda path: (path.stat().st_size, path.name))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[UsageProject, Path, Reply]:
    """A project, a cache in which it is built, and an answer of it."""
    folder = tmp_path_factory.mktemp("built")
    project = usage_project(folder / "project", rows=ROWS)
    with running(project.root, folder / "cache", workers="1") as service:
        answer = service.ask(GROUPED, project.authorization("tenant_0"))
    return project, folder / "cache", answer


@pytest.mark.parametrize("which", ["the smallest part", "two parts", "gone"])
def test_a_damaged_part_is_built_again(
    built: tuple[UsageProject, Path, Reply], tmp_path: Path, which: str
) -> None:
    """One flipped bit: found at load, put away, built again; no answer is ever wrong."""
    project, before, answer = built
    key = project.authorization("tenant_0")
    cache = tmp_path / "cache"
    shutil.copytree(before, cache)
    found = parts(cache)
    chosen = {"the smallest part": found[:1], "two parts": [found[0], found[-1]]}
    damaged = chosen.get(which, found[-1:])
    for path in damaged:
        flip(path)
        if which == "gone":
            path.unlink()
    with running(project.root, cache, workers="1", until="live") as service:
        replies = [service.ask(GROUPED, key)]
        while replies[-1].status == 503:
            replies.append(service.ask(GROUPED, key))
        service.wait(service.is_ready)
        last = service.ask(GROUPED, key)
        assert {reply.status for reply in replies} <= {200, 503}
        assert {(r.headers["etag"], r.body) for r in [*replies, last] if r.status == 200} == {
            (answer.headers["etag"], answer.body)
        }
        quarantined = 0 if which == "gone" else len(damaged)
        assert len(service.events("part_quarantined")) == quarantined
        name = "offloader_quarantined_segments"
        service.wait(lambda: value(service, name, dataset="usage") == quarantined)
    assert parts(cache) == sorted(found, key=lambda path: (path.stat().st_size, path.name))


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
