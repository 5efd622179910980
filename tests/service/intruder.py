"""A child of main that attaches as a worker does and then tries to write what it was given.

    python -m tests.service.intruder <address>

It prints one JSON object: for each descriptor, each attempt with the error it ended with. What
would crash is tried in a forked process.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from offloader.shared.attach import connect, receive, send
from offloader.shared.memory import map_live, map_sealed, map_writable

_LIBC = ctypes.CDLL(None, use_errno=True)


def main(address: str) -> None:
    """Attach, try everything, print what came of it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = connect(address)
    send(connection, {"role": "worker", "worker": 0})
    _, (control, _slots) = receive(connection)
    found = {"control": attempts(control, map_live(control))}
    while "document" not in found:
        message, descriptors = receive(connection)
        for descriptor in descriptors:
            name = "document" if "generation" in message else f"part {len(found)}"
            found[name] = attempts(descriptor, map_sealed(descriptor))
    print(json.dumps(found), flush=True)  # noqa: T201 - the answer


def attempts(descriptor: int, mapping: mmap.mmap | memoryview) -> dict[str, str]:
    """Try to write one memory file in every way there is."""
    address = np.frombuffer(mapping, np.uint8).ctypes.data
    return {
        "assign": outcome(lambda: mapping.__setitem__(0, 0)),
        "store": in_fork(lambda: ctypes.memset(address, 0xFF, 8)),
        "write": outcome(lambda: os.write(descriptor, b"x")),
        "pwrite": outcome(lambda: os.pwrite(descriptor, b"x", 0)),
        "shrink": outcome(lambda: os.ftruncate(descriptor, 0)),
        "grow": outcome(lambda: os.ftruncate(descriptor, 1 << 24)),
        "punch": outcome(lambda: punch(descriptor)),
        "map": outcome(lambda: map_writable(descriptor)),
        "open again": outcome(lambda: open_again(descriptor)),
        "seal": outcome(lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)),
        "store after mprotect": in_fork(lambda: unprotect_and_store(address)),
    }


def outcome(attempt: Callable[[], object]) -> str:
    """Return the error an attempt ended with, `done` when there was none."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except TypeError as error:
        return str(error)
    return "done"


def in_fork(attempt: Callable[[], object]) -> str:
    """Return the signal or error that an attempt ended with in a process of its own."""
    pid = os.fork()
    if pid == 0:
        os._exit(1 if outcome(attempt) == "EACCES" else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {0: "done", 1: "EACCES", -11: "SIGSEGV"}[code]


def punch(descriptor: int) -> None:
    """Zero the first page by a hole."""
    keep_size_and_punch = 0x01 | 0x02
    length = ctypes.c_int64(4096)
    if _LIBC.fallocate(descriptor, keep_size_and_punch, ctypes.c_int64(0), length):
        raise OSError(ctypes.get_errno(), "fallocate")


def open_again(descriptor: int) -> None:
    """Write by way of the name that the kernel gives an open file."""
    with Path(f"/proc/self/fd/{descriptor}").open("r+b", buffering=0) as file:
        file.write(b"x")


def unprotect_and_store(address: int) -> None:
    """Make the mapping writable, then store; a private page that comes of it is this process's."""
    both = mmap.PROT_READ | mmap.PROT_WRITE
    if _LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), both):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.memset(address, 0xFF, 8)


if __name__ == "__main__":
    main(sys.argv[1])
