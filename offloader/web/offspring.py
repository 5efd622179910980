"""Processes that main starts and that must not outlive it, even when it is killed.

Workers see by their attach socket that main is gone. The reloader may not use its own for hours,
and the worker manager's state server has none. They import this module: no sanic here.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from secrets import token_hex
from typing import Any

_PR_SET_PDEATHSIG = 1


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
    run(setup)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the parent's thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)
