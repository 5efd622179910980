"""A container that is killed starts again warm, and one that is stopped ends well."""

from __future__ import annotations

import http.client
import random
import time
from contextlib import suppress
from pathlib import Path

from tests.container.conftest import Start
from tests.container.contained import Contained
from tests.container.wide import SUMS, publish_wide, wide_project
from tests.projects import UsageProject, publish, usage_project, usage_table

ROWS = 5_000
SEED = 20260601
SLOW_ROWS = 500_000
MOST_SECONDS = 1.2
GRACE_SECONDS = 10.0
TOTALS = "/v1/endpoints/usage_by_account"
# With one tenant, every fifth row is the first account's.
FIRST_TOTAL = sum(range(0, ROWS, 5))


def served(container: Contained, project: UsageProject) -> int | None:
    """Return the number of the snapshot that answers, None while nothing does."""
    with suppress(OSError, http.client.HTTPException):
        reply = container.ask(TOTALS, project.authorization("tenant_0"))
        if reply.status == 200:
            number = int(reply.headers["offloader-snapshot-id"].removeprefix("s"))
            assert reply.document["data"][0]["api_calls_total"] == number * FIRST_TOTAL
            return number
    return None


def test_killed_at_random_moments_it_starts_warm(
    start: Start, kill_count: int, tmp_path: Path
) -> None:
    """Each start serves the snapshot last seen or a newer one, from its volume, unbuilt."""
    chance = random.Random(SEED)
    project = usage_project(tmp_path / "project", rows=ROWS, tenants=1)
    with start(project.root) as container:
        newest = 1
        for number in range(2, 2 + kill_count):
            publish(project, usage_table(ROWS, tenants=1, factor=number), f"s{number:04}")
            newest = _watched(container, project, newest, chance.uniform(0, MOST_SECONDS))
            container.kill()
            container.start()
            container.wait(container.is_ready)
            first = served(container, project)
            assert first is not None, container.lines()
            assert newest <= first <= number
            newest = first
            _assert_warm(container)
        container.wait(lambda: served(container, project) == 1 + kill_count)
        assert container.stop() == 0


def _watched(container: Contained, project: UsageProject, newest: int, seconds: float) -> int:
    """Ask until a moment comes; return the newest snapshot seen, which never falls back."""
    moment = time.monotonic() + seconds
    while time.monotonic() < moment:
        seen = served(container, project)
        if seen is not None:
            assert seen >= newest
            newest = seen
    return newest


def _assert_warm(container: Contained) -> None:
    names = [line.get("event") for line in container.lines()]
    assert names[:2] == ["segments_loaded", "starting"]


def test_a_kill_undoes_no_decision(start: Start, tmp_path: Path) -> None:
    """Quarantine and pin hold right after the answer, and after each start."""
    project = usage_project(tmp_path / "project", rows=10, tenants=1)
    with start(project.root) as container:
        publish(project, usage_table(10, tenants=1, factor=2), "s0002")
        _await_snapshot(container, project, "s0002")
        _decide(container, "quarantine")
        container.kill()
        container.start()
        container.wait(container.is_ready)
        _assert_stays(container, "s0001")
        (mark,) = container.diagnostics()["datasets"]["usage"]["quarantined_snapshots"]
        assert mark["snapshot_id"] == "s0002"
        _decide(container, "pin")
        container.kill()
        publish(project, usage_table(10, tenants=1, factor=3), "s0003")
        container.start()
        container.wait(container.is_ready)
        _assert_stays(container, "s0001")
        _decide(container, "unpin")
        _await_snapshot(container, project, "s0003")


def _decide(container: Contained, kind: str) -> None:
    reply = container.ask_admin(f"/datasets/usage/{kind}", "POST")
    assert (reply.status, reply.document["outcome"]) == (200, "done"), reply


def _assert_stays(container: Contained, snapshot_id: str) -> None:
    """Check that looks at the source change nothing."""

    def looks() -> int:
        return sum(container.diagnostics()["datasets"]["usage"]["refreshes"].values())

    container.wait(lambda: looks() >= 3)
    assert container.diagnostics()["datasets"]["usage"]["snapshot_id"] == snapshot_id


def _await_snapshot(container: Contained, project: UsageProject, snapshot_id: str) -> None:
    key = project.authorization("tenant_0")
    container.wait(
        lambda: container.ask(TOTALS, key).headers.get("offloader-snapshot-id") == snapshot_id
    )


def test_a_stopped_container_ends_within_its_grace_period(start: Start, tmp_path: Path) -> None:
    """`stop` with the engine's and the service's own defaults: drained, exit 0, not killed."""
    project = usage_project(tmp_path / "project", rows=300)
    with start(project.root, drain_seconds=None) as container:
        began = time.monotonic()
        assert container.stop() == 0
        assert time.monotonic() - began < GRACE_SECONDS
        events = [line.get("event") for line in container.lines()]
        assert events[-1] == "stopped"
        assert "draining" in events


def test_a_killed_reloader_leaves_no_zombie_of_its_builder(start: Start, tmp_path: Path) -> None:
    """As process 1 main reaps the builder that dies with the reloader; the next one builds."""
    project = wide_project(tmp_path / "project")
    publish_wide(project, 10, "w0001")
    with start(project) as container:
        publish_wide(project, SLOW_ROWS, "w0002")
        assert container.python(_KILL_THE_PARENT_OF_A_BUILDER) == "killed"
        container.wait(lambda: container.ask(SUMS).headers["offloader-snapshot-id"] == "w0002")
        container.wait(lambda: container.python(_ZOMBIES) == "0")


_KILL_THE_PARENT_OF_A_BUILDER = """
import os, pathlib, signal
signal.alarm(20)
found = []
while not found:
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        if b"builder" in path.read_bytes() and path.parent.name != str(os.getpid()):
            found = (path.parent / "stat").read_text().rpartition(")")[2].split()
os.kill(int(found[1]), signal.SIGKILL)
print("killed")
"""
_ZOMBIES = """
import pathlib
stats = [path.read_text() for path in pathlib.Path("/proc").glob("[0-9]*/stat")]
print(sum(text.rpartition(")")[2].split()[0] == "Z" for text in stats))
"""
