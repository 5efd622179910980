"""The supervisor: main's own part beside the worker manager, which cannot do it.

It has the reloader and the watchdog run, and it alone ends the service: drain → have the workers
finish → kill what is left → exit, in time whatever the others do.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from sanic import Sanic
from sanic.worker.manager import WorkerManager
from sanic.worker.process import WorkerProcess

from offloader.service import log
from offloader.service.main.memory import MainMemory
from offloader.service.main.orphans import reap_orphans
from offloader.service.main.watchdog import Watchdog, Watched
from offloader.service.reloader.process import RELOADER_NAME, ReloaderSetup, run_reloader
from offloader.settings.settings import Settings
from offloader.shared.attach import parent_of
from offloader.shared.control import Word
from offloader.shared.slots import Head
from offloader.web.offspring import end_all_and_exit, run_child
from offloader.web.ready_watch import start_ready_watch
from offloader.web.signals import FINISH, Signals
from offloader.web.worker import worker_number

GAVE_UP_EXIT = 1
# A worker beats every second and is out of `/ready` after five. Ten are no busy loop any more, and
# whoever has a connection to it waits for nothing.
WORKER_WEDGED_SECONDS = 10.0
# The reloader writes to the cache volume, which may be slow; nobody waits for it.
RELOADER_WEDGED_SECONDS = 30.0
# What the reloader gets at most to write the state file, which names what is committed.
STATE_WRITE_SECONDS = 5.0
_LOOK_SECONDS = 0.02
# What killing and leaving may take: the service has to be gone by OFFLOADER_SHUTDOWN_SECONDS.
_MARGIN_SECONDS = 1.0


class Supervisor:
    """Starts with the worker manager, ends with the process; `stop` and `check` are for signals."""

    def __init__(
        self,
        settings: Settings,
        memory: MainMemory,
        reloader: ReloaderSetup,
        signals: Signals,
        ports: Sequence[socket.socket],
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._reloader = reloader
        self._signals = signals
        self._ports = ports
        self._manager: WorkerManager | None = None
        self._is_signalled = False
        self._stopping = threading.Event()
        self._first_to_stop = threading.Lock()  # taken once, never released
        signals.on_stop, signals.on_check = self.stop, self.check

    async def start(self, app: Sanic[Any, Any]) -> None:
        """Manage the reloader and watch everything; a listener for `main_process_ready`."""
        manager = self._manager = app.manager
        self._signals.install()  # the manager has just replaced them
        arguments = {"parent": os.getpid(), "run": run_reloader, "setup": self._reloader}
        # Transient: others can only be restarted once the manager noticed that they ended.
        manager.manage(RELOADER_NAME, run_child, arguments, transient=True)
        # Its own would kill the whole process group.
        manager.kill = self._on_failed_start  # type: ignore[method-assign]
        publisher = manager.monitor_publisher
        watched = [self._watched(process) for process in manager.transient_processes]
        watchdog = Watchdog(
            watched, self._stopping, lambda name: publisher.send(f"{name}:"), self.give_up
        )
        threading.Thread(
            target=watchdog.run, args=(reap_orphans,), name="watchdog", daemon=True
        ).start()
        start_ready_watch(self._memory, self._stopping)

    def _watched(self, process: WorkerProcess) -> Watched:
        control, slots = self._memory.control, self._memory.slots
        if _is_reloader(process):
            on_restart = partial(control.add, Word.RELOADER_RESTARTS)
            return Watched(
                process, slots.reloader(), on_restart, RELOADER_WEDGED_SECONDS, is_awaited=False
            )
        on_restart = partial(control.add, Word.WORKER_RESTARTS)
        head = slots.head(worker_number(process.name))
        return Watched(process, head, on_restart, WORKER_WEDGED_SECONDS)

    def stop(self, number: int) -> None:
        """Stop for a signal; a second one ends everything at once."""
        if self._is_signalled:
            end_all_and_exit(128 + number)
        self._is_signalled = True
        if self._is_first_to_stop():
            self._start_stop(0, 0 if number == signal.SIGINT else self._settings.drain_seconds)

    def check(self) -> None:
        """Have the reloader check everything now; one that starts does so by itself."""
        pid = self._memory.slots.reloader()[Head.PID]
        is_running = pid > 0 and parent_of(pid) == os.getpid()
        log.event("check_requested", is_forwarded=is_running)
        if is_running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    def give_up(self, reason: str) -> None:
        """End the service, with an exit code that says so; what still works is drained."""
        if self._is_first_to_stop():
            log.error("giving_up", reason=reason, hint="see the lines before this one")
            self._start_stop(GAVE_UP_EXIT, self._settings.drain_seconds)

    def wait_for_the_end(self) -> NoReturn:
        """Wait until another thread ends the process."""
        while True:
            threading.Event().wait()

    def _on_failed_start(self) -> NoReturn:
        self.give_up("not every worker came up")
        self.wait_for_the_end()

    def _is_first_to_stop(self) -> bool:
        """Tell whether nobody else has begun to stop: signals, watchdog and manager may at once."""
        if not self._first_to_stop.acquire(blocking=False):
            return False
        self._stopping.set()
        return True

    def _start_stop(self, code: int, drain_seconds: float) -> None:
        threading.Thread(target=self._stop, args=(code, drain_seconds), daemon=True).start()

    def _stop(self, code: int, drain_seconds: float) -> None:
        try:
            self._memory.control[Word.IS_DRAINING] = 1
            if self._is_serving():
                log.event("draining", seconds=drain_seconds)
                time.sleep(drain_seconds)
                self._finish()
            log.flush()
            log.event("stopped")
        finally:
            end_all_and_exit(code)

    def _is_serving(self) -> bool:
        """Tell whether any worker has its slot: before, it cannot have accepted a request."""
        slots = self._memory.slots
        return any(slots.head(number)[Head.PID] for number in range(slots.workers))

    def _finish(self) -> None:
        """Have every process finish, also one that is only coming up; wait, but not for ever."""
        limit_seconds = self._settings.shutdown_seconds
        deadline = time.monotonic() + max(limit_seconds - _MARGIN_SECONDS, limit_seconds / 2)
        told: set[int] = set()
        while alive := self._alive():
            for process in alive:
                if process.pid not in told and not self._is_about_to_write(process):
                    told.add(process.pid)
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGTERM if _is_reloader(process) else FINISH)
            if time.monotonic() >= deadline:
                names = [process.name for process in alive]
                hint = "requests were cut: see OFFLOADER_SHUTDOWN_SECONDS"
                log.error("stop_timeout", processes=names, hint=hint)
                return
            time.sleep(_LOOK_SECONDS)
            for port in self._ports:  # now nobody accepts: better refused than left waiting
                with suppress(OSError):
                    port.shutdown(socket.SHUT_RDWR)

    def _is_about_to_write(self, process: WorkerProcess) -> bool:
        """Tell whether this is the reloader, and has just had something committed.

        The first generation is main's own, out of that file.
        """
        control, saved = self._memory.control, self._memory.slots.reloader()[Head.SAVED]
        if not _is_reloader(process) or control.generation() <= max(1, saved):
            return False
        since_seconds = time.time() - control[Word.COMMITTED_AT_US] / 1e6
        return 0 <= since_seconds < STATE_WRITE_SECONDS

    def _alive(self) -> list[WorkerProcess]:
        processes = list(self._manager.processes) if self._manager is not None else []
        return [process for process in processes if process.is_alive()]


def _is_reloader(process: WorkerProcess) -> bool:
    return RELOADER_NAME in process.name
