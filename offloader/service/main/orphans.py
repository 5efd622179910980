"""Orphans: processes that main adopts as process 1 of a container, and that must be reaped.

A builder whose reloader is killed dies too, and then nobody but process 1 can take its exit.
"""

from __future__ import annotations

import os
from contextlib import suppress


def reap_orphans() -> int:
    """Take the exits of adopted processes that have ended; return how many there were.

    A process in main's own group was started by main, and is left to who started it. A builder
    is in a group of its own.
    """
    reaped = 0
    with suppress(ProcessLookupError):  # an own child, whose exit its starter took just now
        while (pid := _ended_child()) and os.getpgid(pid) != os.getpgrp():
            os.waitpid(pid, os.WNOHANG)
            reaped += 1
    return reaped


def _ended_child() -> int:
    """Return the pid of a child that has ended and still waits to be reaped, 0 without one."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0
