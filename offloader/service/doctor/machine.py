"""What the machine gives: memory, CPUs, open files, and what the kernel can do."""

from __future__ import annotations

import os
import socket
from array import array
from dataclasses import dataclass

from offloader.service.doctor.finding import Check, Finding
from offloader.shared.memory import create_memory, map_writable, seal, seal_for_others

LEAST_DESCRIPTORS = 256
ENOUGH_DESCRIPTORS = 1024
_KERNEL = Check("environment", "kernel")


@dataclass(frozen=True, slots=True)
class Machine:
    """What this container may use, and what the settings want of it.

    `processes_bytes` is what main and the workers take besides the snapshots, `available_bytes`
    what new memory may take now. `descriptors` is the hard limit on open files of one process.
    """

    cpus: int
    workers: int
    memory_bytes: int
    available_bytes: int
    limit_bytes: int
    processes_bytes: int
    descriptors: int


def check_machine(machine: Machine) -> list[Finding]:
    """Compare what there is with what the settings want. Pure."""
    return [_memory(machine), _cpus(machine), _descriptors(machine)]


def check_kernel() -> list[Finding]:
    """Try what shared memory is made of: sealed memory files that travel over unix sockets."""
    features = {"memfd sealing": _sealing, "F_SEAL_FUTURE_WRITE": _future_write}
    features["SCM_RIGHTS"] = _descriptor_passing
    missing = {}
    for name, attempt in features.items():
        try:
            attempt()
        except (OSError, ValueError) as error:
            missing[name] = getattr(error, "strerror", None) or type(error).__name__
    if not missing:
        return [_KERNEL.ok(f"{os.uname().release}: {', '.join(features)}")]
    hint = "run on Linux 5.1 or newer; gVisor and strict seccomp profiles may forbid it"
    return [
        _KERNEL.fail("kernel_feature_missing", f"{name} does not work: {reason}", hint)
        for name, reason in missing.items()
    ]


def _memory(machine: Machine) -> Finding:
    check = Check("environment", "memory")
    needed, there = machine.processes_bytes, machine.memory_bytes
    if there < needed:
        message = f"{machine.workers} workers need {_mib(needed)}, {_mib(there)} are allowed"
        hint = "give the container more memory, or set OFFLOADER_WORKERS to fewer"
        return check.fail("memory_too_small", message, hint)
    wanted = machine.limit_bytes + needed
    if wanted > there:
        message = (
            f"OFFLOADER_MEMORY_LIMIT {_mib(machine.limit_bytes)} and the processes' {_mib(needed)}"
            f" are more than the {_mib(there)} that are allowed"
        )
        hint = "give the container more memory, or lower OFFLOADER_MEMORY_LIMIT"
        return check.warn("memory_tight", message, hint)
    limit, left = _mib(machine.limit_bytes), _mib(machine.available_bytes)
    return check.ok(f"{_mib(there)} allowed, {limit} of it for snapshots; {left} are free now")


def _cpus(machine: Machine) -> Finding:
    check = Check("environment", "cpus")
    message = f"{machine.workers} workers on {machine.cpus} CPUs"
    if machine.workers <= machine.cpus:
        return check.ok(message)
    hint = "set OFFLOADER_WORKERS to the CPUs, or leave it out; builds need CPU time, too"
    return check.warn("workers_above_cpus", message, hint)


def _descriptors(machine: Machine) -> Finding:
    check = Check("environment", "open files")
    message = f"a process may open {machine.descriptors} files"
    if machine.descriptors >= ENOUGH_DESCRIPTORS:
        return check.ok(message)
    hint = f"raise the hard limit (ulimit -Hn) to {ENOUGH_DESCRIPTORS} or more"
    if machine.descriptors < LEAST_DESCRIPTORS:
        return check.fail("descriptors_low", message, hint)
    return check.warn("descriptors_low", message, hint)


def _sealing() -> None:
    descriptor = create_memory("offloader-doctor", 4096)
    try:
        seal(descriptor)
        try:
            os.pwrite(descriptor, b"x", 0)
        except PermissionError:
            return
        raise OSError(0, "a sealed file could be written")
    finally:
        os.close(descriptor)


def _future_write() -> None:
    descriptor = create_memory("offloader-doctor", 4096)
    try:
        with map_writable(descriptor) as mapping:
            seal_for_others(descriptor)
            mapping[0:1] = b"x"
    finally:
        os.close(descriptor)


def _descriptor_passing() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.settimeout(1.0)
        sent = array("i", [ours.fileno()])
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
        _, ancillary, _, _ = theirs.recvmsg(1, socket.CMSG_LEN(sent.itemsize))
        received = array("i", b"".join(raw for _, _, raw in ancillary))
        for descriptor in received:
            os.close(descriptor)
        if not received:
            raise OSError(0, "no descriptor arrived")


def _mib(count: int) -> str:
    return f"{count >> 20} MiB"
