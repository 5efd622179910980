"""Processes that main starts and that must not outlive it, even when it is killed.

They import this module: no sanic here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from pathlib import Path
from secrets import token_hex
from typing import Any

from offloader.shared.attach import parent_of
from offloader.web.signals import admit

_PR_SET_PDEATHSIG = 1
_STDERR = 2
_STARTED_AT = 19  # behind the name: the 22nd field of /proc/<pid>/stat


def import_no_main() -> None:
    """Have spawned children import what they run, and not first the command line that main ran.

    multiprocessing has each child import the parent's `__main__` when it can tell where that lies;
    nothing that is sent to ours was defined there.
    """
    main = sys.modules["__main__"]
    main.__spec__ = None
    main.__dict__.pop("__file__", None)


def start_state_server() -> SyncManager:
    """Start what `multiprocessing.Manager` starts, as a child that dies with main."""
    # A name of no file system: the default is a socket below /tmp, which may be read-only.
    server = SyncManager(f"\0offloader-state-{token_hex(16)}", ctx=get_context())
    server.start(die_with, (os.getpid(),))
    return server


def run_child(parent: int, run: Callable[[Any], None], setup: object) -> None:
    """Run a function in a child process of `parent` that dies with it.

    The worker manager adds a `config` argument on a restart wherever `**` would take it.
    """
    die_with(parent)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the function handles it
    admit(signal.SIGHUP, signal.SIGTERM)
    run(setup)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the parent's thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def end_all_and_exit(code: int) -> None:
    """Kill every child, and end this process: nothing is left, and nothing is waited for."""
    # Whom another thread starts meanwhile is not killed below: it ends by itself, and would say so.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    own = [pid for pid in pids if parent_of(pid) == os.getpid() and not _is_tracker(pid)]
    # Newest first, and no other work until the exit: nobody complains of one that it still needs.
    for pid in sorted(own, key=_started_at, reverse=True):  # numbers begin anew at some point
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(code)


def _started_at(pid: int) -> tuple[int, int]:
    """Return when a process was started, in ticks (proc(5)), and its pid; zeros when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0, 0
    return int(stat.rpartition(b")")[2].split()[_STARTED_AT]), pid


def _is_tracker(pid: int) -> bool:
    """Tell multiprocessing's tracker: it ends after the others, and is missed if it is killed."""
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
