"""A build is a process of its own: its outcome, its limits, its end."""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.segment.temporary import open_temporary
from offloader.service.builder.job import MAX_KEPT_BYTES, Builder, run_build
from offloader.service.cache import Cache
from tests.projects import UsageProject, usage_project
from tests.service.building import job_of, parts_in, wait_for
from tests.snapshots import write_manifest

LIMIT_SECONDS = 60.0
BUILDER = [sys.executable, "-m", "offloader.service.builder.process"]
# Starts a builder that reads from the descriptor given, prints its pid, and waits for its end.
PARENT = """
import subprocess, sys
builder = subprocess.Popen(sys.argv[2:], stdin=int(sys.argv[1]))
print(builder.pid, flush=True)
builder.wait()
"""


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=30)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def has_oom_score(pid: int) -> bool:
    return Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n"


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits to be counted by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(") ")[2][0] == "Z"


def test_a_build_returns_the_bytes_it_wrote(project: UsageProject, cache: Cache) -> None:
    """The parts lie in the cache, and their sizes sum up to the answer; then to nothing."""
    job = job_of(project.root, cache)
    written = run_build(job, limit_seconds=LIMIT_SECONDS)
    assert written == sum(path.stat().st_size for path in cache.root.glob("segments/usage/*"))
    assert len(parts_in(cache)) == 6
    assert run_build(job, limit_seconds=LIMIT_SECONDS) == 0


def test_the_outcome_is_one_line_of_json(project: UsageProject, cache: Cache) -> None:
    """The builder exits with 0 and prints its outcome, with the seconds it took."""
    job = {**job_of(project.root, cache), "parent_pid": os.getpid()}
    done = subprocess.run(BUILDER, input=json.dumps(job), capture_output=True, text=True)
    outcome = json.loads(done.stdout)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert outcome.pop("seconds") > 0
    assert outcome.pop("written_bytes") > 0
    assert outcome.pop("peak_bytes") > 1 << 20
    assert outcome == {"ok": True, "row_count": 30, "downloaded_bytes": 0, "download_seconds": 0}


def test_a_refused_snapshot_is_refused_by_its_code(project: UsageProject, cache: Cache) -> None:
    """The builder's refusal comes back as the error it was, and no part is left."""
    manifest = json.loads(project.manifest_path.read_text())
    manifest["files"][0]["xxh3_128"] = "0" * 32
    write_manifest(project.manifest_path, manifest)
    with pytest.raises(SnapshotRefused) as refused:
        run_build(job_of(project.root, cache), limit_seconds=LIMIT_SECONDS)
    assert refused.value.code == "file_checksum_differs"
    assert refused.value.hint
    assert parts_in(cache) == {}


def test_a_build_that_takes_too_long_is_ended(project: UsageProject, cache: Cache) -> None:
    """The limit ends the builder; the failure is transient and says how long it was."""
    with pytest.raises(SourceUnavailable) as failed:
        run_build(job_of(project.root, cache), limit_seconds=0.001)
    assert failed.value.code == "builder_timeout"
    assert failed.value.message == "the build took more than 0.001 s"


def test_a_killed_builder_is_a_transient_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A builder that the kernel killed, for memory, has printed nothing."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(SourceUnavailable) as failed:
        run_build({}, limit_seconds=LIMIT_SECONDS)
    assert failed.value.code == "builder_killed"
    assert failed.value.message == "the builder ended without a result (exit -9)"


def test_a_builder_that_breaks_says_how() -> None:
    """Of an error nobody foresaw, the last line of the traceback is told."""
    with pytest.raises(SourceUnavailable) as failed:
        run_build({}, limit_seconds=LIMIT_SECONDS)
    assert failed.value.code == "builder_killed"
    message = "the builder ended without a result (exit 1) KeyError: 'documents'"
    assert failed.value.message == message


def test_a_builder_is_killed_first_and_dies_with_its_parent() -> None:
    """Its oom_score_adj is 1000; when its parent is killed, it ends with its work undone."""
    reading, writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(reading), *BUILDER],
        pass_fds=[reading],
        stdout=subprocess.PIPE,
    )
    os.close(reading)
    try:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        wait_for(lambda: has_oom_score(pid))
        assert not has_ended(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: has_ended(pid))
    finally:
        parent.kill()
        parent.communicate()
        os.close(writing)


def test_a_builder_whose_parent_is_gone_already_builds_nothing(
    project: UsageProject, cache: Cache
) -> None:
    """A parent that died while the builder started is not there to be told."""
    job: Mapping[str, Any] = {**job_of(project.root, cache), "parent_pid": 1}
    done = subprocess.run(BUILDER, input=json.dumps(job), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert parts_in(cache) == {}


def test_the_memory_of_a_build_is_its_own(project: UsageProject, cache: Cache) -> None:
    """However large the process is that starts it: that tells whether it may go on."""
    large = mmap.mmap(-1, MAX_KEPT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE)
    with Builder() as builder, large:
        builder.build(job_of(project.root, cache), limit_seconds=LIMIT_SECONDS)
        assert builder.can_go_on


def test_a_build_removes_what_a_killed_builder_left(project: UsageProject, cache: Cache) -> None:
    """Half written parts of its dataset and downloads; what somebody still writes stays."""
    held, written = open_temporary(cache.part("usage", "held"), 0o600)
    left = [cache.part("usage", ".left.tmp"), cache.downloads / ".left.tmp"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    run_build(job_of(project.root, cache), limit_seconds=LIMIT_SECONDS)
    assert [path.exists() for path in (written, *left)] == [True, False, False]
    os.close(held)
