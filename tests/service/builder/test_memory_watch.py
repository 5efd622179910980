"""A process that takes the memory that others need is ended before the kernel has to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.builder.job import run_build
from offloader.service.builder.memory_watch import SPARE_BYTES, memory_watched
from tests.shared.descriptors import eventually

WAITS = [sys.executable, "-ISc", "input()"]


def test_a_process_that_leaves_too_little_is_killed() -> None:
    """It is looked at again and again; the first look below the bound ends it."""
    left = iter([SPARE_BYTES + 1, SPARE_BYTES, SPARE_BYTES - 1])
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    with memory_watched(process, lambda: next(left)) as is_killed:
        process.wait(10)
    assert (process.returncode, is_killed.is_set(), list(left)) == (-9, True, [])


def test_a_process_that_leaves_enough_is_left_alone() -> None:
    """At the bound exactly it goes on to its own end."""
    looks: list[int] = []

    def available_bytes() -> int:
        looks.append(SPARE_BYTES)
        return SPARE_BYTES

    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    with memory_watched(process, available_bytes) as is_killed:
        eventually(lambda: len(looks) > 5)
        assert process.poll() is None
        process.communicate(b"\n", timeout=30)
    assert (process.returncode, is_killed.is_set()) == (0, False)


def test_a_build_that_takes_all_memory_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is transient, has its own code, and names the remedy."""
    builds = tmp_path / "builds"  # and does not end before it is looked at
    builds.write_text("#!/bin/sh\nexec sleep 100\n")
    builds.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(builds))
    with pytest.raises(SourceUnavailable) as failed:
        run_build({}, limit_seconds=60.0, available_bytes=lambda: 0)
    assert failed.value.code == "builder_out_of_memory"
    message = "the build left less than 48 MiB to the processes that serve"
    assert failed.value.message == message
    assert "give the container more memory" in failed.value.hint
