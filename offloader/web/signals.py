"""The signals of main, taken by a thread of their own, whatever the others are busy with.

They are blocked everywhere else, and processes that main starts inherit that: what is sent to the
whole process group (Ctrl-C, a closed terminal, a service manager) reaches main alone, which drains
before it ends the others. No sanic here.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing import resource_tracker

# What main sends a worker instead: finish what was begun, then end.
FINISH = signal.SIGUSR1
_TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """What SIGTERM and SIGINT (`on_stop`), and SIGHUP (`on_check`) do. Called in one thread."""

    def __init__(self) -> None:
        self.on_stop: Callable[[int], None] = _leave
        self.on_check: Callable[[], None] = _nothing

    def take(self) -> None:
        """Take them from now on; until told otherwise, a stop ends the process with 0."""
        self.install()
        _block()
        resource_tracker.ensure_running()  # unblocks some: better now than with the first child
        _block()
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def install(self) -> None:
        """Handle them in the main thread too, while they are not blocked there."""
        for number in _TAKEN:
            signal.signal(number, lambda number, _frame: self._act(number))

    def _wait(self) -> None:
        while True:
            number = signal.sigwait(_TAKEN)
            try:
                self._act(number)
            except Exception:  # the next signal must be taken all the same
                traceback.print_exc()

    def _act(self, number: int) -> None:
        if number == signal.SIGHUP:
            self.on_check()
        else:
            self.on_stop(number)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_TAKEN, FINISH))


def admit(*numbers: signal.Signals) -> None:
    """Let signals through again in a process that main has started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _leave(_number: int) -> None:
    os._exit(0)


def _nothing() -> None:
    pass
