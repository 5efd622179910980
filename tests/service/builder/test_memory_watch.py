"""A process that takes the memory that others need is ended before the kernel has to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.builder.job import run_build
from offloader.service.builder.memory_watch import SPARE_BYTES, memory_watched

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
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.communicate(b"\n", timeout=10)
    assert (process.returncode, is_killed.is_set()) == (0, False)
    assert len(looks) > 1


def test_a_build_that_takes_all_memory_says_so() -> None:
    """The failure is transient, has its own code, and names the remedy."""
    with pytest.raises(SourceUnavailable) as failed:
        run_build({}, limit_seconds=60.0, available_bytes=lambda: 0)
    assert failed.value.code == "builder_out_of_memory"
    message = "the build left less than 48 MiB to the processes that serve"
    assert failed.value.message == message
    assert "give the container more memory" in failed.value.hint
