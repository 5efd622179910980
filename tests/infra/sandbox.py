"""Become a command with what a systemd unit denies taken away, where no systemd runs.

`python -m tests.infra.sandbox UNIT COMMAND…`: no new privileges, no capabilities, no memory that is
both writable and executable, no system calls and no kinds of sockets but those of the unit. What
needs mounts or another user is left out: the tests of the image have those.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.infra.unit_file import allowed_calls, read_unit

# linux/prctl.h, seccomp.h
_SET_NO_NEW_PRIVS = 38
_CAPBSET_DROP = 24
_SET_MDWE = 65
_LAST_CAPABILITY = 63
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL = 4
_UNKNOWN_CALL = -1


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`: a condition on one argument of a system call."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def why_no_sandbox() -> str:
    """Return what to install; empty when nothing is missing."""
    is_there = sys.platform == "linux" and ctypes.util.find_library("seccomp")
    return "" if is_there else "there is no libseccomp: install libseccomp2"


def enter(unit: Mapping[str, list[str]]) -> None:
    """Take away from this process, for good, what a unit denies; raise OSError if it cannot."""
    kernel = ctypes.CDLL(None, use_errno=True)
    if unit["CapabilityBoundingSet"] == [""]:
        for number in range(_LAST_CAPABILITY + 1):
            # Refused to who has none, and for numbers this kernel does not know.
            kernel.prctl(_CAPBSET_DROP, number, 0, 0, 0)
    if unit["NoNewPrivileges"] == ["yes"] and kernel.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        kernel.prctl(_SET_MDWE, 1, 0, 0, 0)  # since Linux 6.3
    _filter_calls(allowed_calls(unit), unit["RestrictAddressFamilies"][0].split())


def _filter_calls(names: set[str], families: list[str]) -> None:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    for name in sorted(names - {"socket"}):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != _UNKNOWN_CALL:
            _check(library.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0))
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        wanted = _Comparison(0, _EQUAL, getattr(socket, family), 0)
        added = library.seccomp_rule_add_array(
            context, ctypes.c_uint32(_ALLOW), number, 1, ctypes.byref(wanted)
        )
        _check(added)
    _check(library.seccomp_load(context))


def _check(code: int) -> None:
    if code:
        raise OSError(-code, os.strerror(-code))


if __name__ == "__main__":
    enter(read_unit(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
