"""The machine: what there is against what the settings want, and what the kernel can do."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest

from offloader.service.doctor import machine
from offloader.service.doctor.machine import Machine, check_kernel, check_machine
from tests.shared.descriptors import open_descriptors

MIB = 1 << 20
GOOD = Machine(
    cpus=2,
    workers=2,
    memory_bytes=2048 * MIB,
    available_bytes=1024 * MIB,
    limit_bytes=1600 * MIB,
    processes_bytes=224 * MIB,
    descriptors=1024,
)


def _bad(machine: Machine) -> list[tuple[str, str, str]]:
    found = check_machine(machine)
    assert {one.heading for one in found} == {"environment"}
    return [(one.check, one.verdict, one.code) for one in found if one.verdict != "ok"]


def test_a_good_machine() -> None:
    """Each of the three is told with its numbers."""
    assert [(one.check, one.verdict, one.message) for one in check_machine(GOOD)] == [
        ("memory", "ok", "2048 MiB allowed, 1600 MiB of it for snapshots; 1024 MiB are free now"),
        ("cpus", "ok", "2 workers on 2 CPUs"),
        ("open files", "ok", "a process may open 1024 files"),
    ]


def test_what_does_not_fit() -> None:
    """Processes that do not fit fail, all that is only tight is a warning."""
    small = replace(GOOD, memory_bytes=224 * MIB - 1)
    assert _bad(small) == [("memory", "failed", "memory_too_small")]
    assert _bad(replace(GOOD, memory_bytes=224 * MIB, limit_bytes=0)) == []
    tight = replace(GOOD, limit_bytes=2048 * MIB - 224 * MIB)
    assert _bad(tight) == []
    over = replace(tight, limit_bytes=tight.limit_bytes + 1)
    assert _bad(over) == [("memory", "warning", "memory_tight")]
    assert _bad(replace(GOOD, workers=3)) == [("cpus", "warning", "workers_above_cpus")]
    assert _bad(replace(GOOD, descriptors=1023)) == [("open files", "warning", "descriptors_low")]
    assert _bad(replace(GOOD, descriptors=255)) == [("open files", "failed", "descriptors_low")]


def test_this_kernel_can() -> None:
    """Sealed memory, live memory that others only read, descriptors over a socket."""
    (found,) = check_kernel()
    assert (found.verdict, found.code) == ("ok", "")
    assert found.message.endswith(": memfd sealing, F_SEAL_FUTURE_WRITE, SCM_RIGHTS")


def test_a_kernel_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each feature that is missing is a failure of its own, with the kernel's own word."""

    def refused(*_: object) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(machine, "create_memory", refused)
    found = check_kernel()
    assert [(one.verdict, one.code) for one in found] == [("failed", "kernel_feature_missing")] * 2
    assert found[0].message == "memfd sealing does not work: Function not implemented"


def test_nothing_is_left_open() -> None:
    """The attempts close every descriptor."""
    check_kernel()
    before = open_descriptors()
    for _ in range(3):
        check_kernel()
    assert open_descriptors() <= before
