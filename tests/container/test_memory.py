"""Memory that the kernel really limits: nothing but a builder is ever killed for it."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Start
from tests.container.contained import KILLED_EXIT, Contained, shared_volume
from tests.container.engine import Engine
from tests.container.wide import ROW_BYTES, SUMS, publish_wide, sums_of, wide_project

# What one worker, the reloader and main take together, and what is left alone beside them.
IDLE_MIB = 260
SEGMENT_MIB = 200
ROWS = (SEGMENT_MIB << 20) // ROW_BYTES
FEW_ROWS = 1000
SMALL_ROWS = (16 << 20) // ROW_BYTES
MOVED_SECONDS = 15.0
SLOW_SECONDS = 5.0

_KILLS = """
import pathlib
base = pathlib.Path("/sys/fs/cgroup")
for path in (base / "memory.events", base / "memory/memory.oom_control"):
    if path.exists():
        print(*[l.split()[1] for l in path.read_text().splitlines() if l.startswith("oom_kill ")])
"""


def kills(container: Contained) -> int:
    """Return how many processes the kernel has killed for this container's limit."""
    return int(container.python(_KILLS))


def memory_of(container: Contained) -> str | None:
    """Return where the dataset's segment is, as `/diagnostics` says."""
    where: str | None = container.diagnostics()["datasets"]["wide"]["memory"]
    return where


def pids_of(container: Contained) -> list[int]:
    """Return the pids of the worker and of the reloader."""
    processes = container.diagnostics()["processes"]
    workers: list[dict[str, Any]] = processes["workers"]
    return [*(worker["pid"] for worker in workers), processes["reloader"]["pid"]]


def assert_serves(container: Contained, snapshot_id: str, rows: int) -> None:
    """Check an answer that every column of the segment was read for."""
    reply = container.ask(SUMS)
    assert (reply.status, reply.headers["offloader-snapshot-id"]) == (200, snapshot_id)
    assert reply.document["data"] == [sums_of(rows)]


def test_a_segment_that_the_container_has_no_room_for_is_mapped(
    engine: Engine, start: Start, tmp_path: Path
) -> None:
    """Whatever OFFLOADER_MEMORY_LIMIT says: served from the page cache, and nothing is killed."""
    project = wide_project(tmp_path / "project")
    publish_wide(project, ROWS, "w0001")
    with shared_volume(engine) as volume:
        with start(project, volume) as roomy:
            assert memory_of(roomy) == "shared"
            assert_serves(roomy, "w0001", ROWS)
        memory_mib = IDLE_MIB + SEGMENT_MIB // 4
        with start(project, volume, memory_mib=memory_mib, memory_limit="8GiB") as tight:
            assert memory_of(tight) == "page_cache"
            pids = pids_of(tight)
            for _ in range(3):
                assert_serves(tight, "w0001", ROWS)
            assert tight.diagnostics()["memory"]["shared_bytes"] == 0
            assert pids_of(tight) == pids
            assert kills(tight) == 0
            assert tight.stop() == 0
            assert not tight.state()["OOMKilled"]


def test_a_snapshot_that_fits_only_after_the_one_before_is_moved_then(
    start: Start, tmp_path: Path
) -> None:
    """It is served at once, from the page cache, and from shared memory soon after."""
    project, rows = wide_project(tmp_path / "project"), SMALL_ROWS + 1
    publish_wide(project, SMALL_ROWS, "w0001")
    limit_bytes = SMALL_ROWS * ROW_BYTES * 3 // 2  # one segment and not two
    limit = str(limit_bytes)
    with start(project, memory_mib=IDLE_MIB + 128, memory_limit=limit) as container:
        assert memory_of(container) == "shared"
        publish_wide(project, rows, "w0002")
        await_snapshot(container, "w0002")
        assert memory_of(container) == "page_cache"
        assert_serves(container, "w0002", rows)
        container.wait(lambda: memory_of(container) == "shared", MOVED_SECONDS)
        assert_serves(container, "w0002", rows)
        memory = container.diagnostics()["memory"]
        assert rows * ROW_BYTES < memory["shared_bytes"] < limit_bytes == memory["limit_bytes"]
        assert len(container.events("served_from_page_cache")) == 1
        assert len(container.events("moved_to_memory")) == 1
        assert kills(container) == 0


def test_a_builder_without_memory_is_killed_alone(start: Start, tmp_path: Path) -> None:
    """It is ended; the snapshot before serves on, without a pause; the tries get fewer."""
    project = wide_project(tmp_path / "project")
    publish_wide(project, FEW_ROWS, "w0001")
    with start(project, memory_mib=IDLE_MIB) as container:
        pids = pids_of(container)
        publish_wide(project, ROWS, "w0002")
        slowest_seconds = 0.0

        def has_been_tried_thrice() -> bool:
            nonlocal slowest_seconds
            began = time.monotonic()
            assert_serves(container, "w0001", FEW_ROWS)
            slowest_seconds = max(slowest_seconds, time.monotonic() - began)
            return len(pauses(container, "w0002")) >= 2

        container.wait(has_been_tried_thrice)
        assert slowest_seconds < SLOW_SECONDS
        attempt = container.diagnostics()["datasets"]["wide"]["last_attempt"]
        assert attempt["snapshot_id"] == "w0002"
        assert attempt["code"] in ("builder_killed", "builder_out_of_memory")
        assert "memory" in attempt["hint"]
        assert attempt["is_final"] is False
        first, second = pauses(container, "w0002")[:2]
        assert first >= 0.75
        assert second >= 1.5
        assert container.ask_admin("/ready").status == 200
        publish_wide(project, FEW_ROWS + 1, "w0003")
        await_snapshot(container, "w0003")
        assert_serves(container, "w0003", FEW_ROWS + 1)
        assert pids_of(container) == pids
        assert container.state()["Running"]


def pauses(container: Contained, snapshot_id: str) -> list[float]:
    """Return the seconds between the starts of a snapshot's builds."""
    lines = container.events("build_started")
    times = [line["time"] for line in lines if line["snapshot"] == snapshot_id]
    moments = [datetime.fromisoformat(text).timestamp() for text in times]
    return [after - before for before, after in pairwise(moments)]


def await_snapshot(container: Contained, snapshot_id: str) -> None:
    """Wait until a snapshot answers."""
    container.wait(lambda: container.ask(SUMS).headers["offloader-snapshot-id"] == snapshot_id)


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_a_container_killed_for_its_limit_comes_back_warm(
    engine: Engine, start: Start, tmp_path: Path, policy: str
) -> None:
    """Exit 137; started again, by hand or by the engine, it serves from its volume, unbuilt."""
    project = wide_project(tmp_path / "project")
    publish_wide(project, SMALL_ROWS, "w0001")
    with start(project, "--restart", policy, memory_mib=IDLE_MIB + 64) as container:
        assert_serves(container, "w0001", SMALL_ROWS)
        engine.tried("exec", container.name, "python", "-ISc", _KILL_MAIN_FOR_MEMORY)
        if policy == "no":
            container.wait(lambda: not container.state()["Running"])
            assert container.state()["ExitCode"] == KILLED_EXIT
            assert container.state()["OOMKilled"]
            container.start()
        else:
            restarts = ("inspect", "--format", "{{.RestartCount}}", container.name)
            container.wait(lambda: engine.run(*restarts) == "1")
            container.ports.clear()
        container.wait(container.is_ready)
        assert_serves(container, "w0001", SMALL_ROWS)
        names = [line.get("event") for line in container.lines()]
        last_start = len(names) - 1 - names[::-1].index("starting")
        assert names[last_start - 1] == "segments_loaded"
        assert "build_started" not in names[last_start:]


# Main is made the one that the kernel takes first, and then memory is taken until it does.
_KILL_MAIN_FOR_MEMORY = """
import pathlib
pathlib.Path("/proc/1/oom_score_adj").write_text("1000")
taken = []
while True:
    taken.append(bytearray(b"x") * (8 << 20))
"""
