"""The watchdog: a thread of main that brings dead and wedged processes back.

The worker manager marks a dead process as failed and leaves it at that. The watchdog looks at
every process a few times a second, kills one whose heartbeat stopped, and asks for a restart with
a growing pause. When the restarts of a while are spent, the service ends, for whoever runs it to
start afresh.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from offloader.service import log
from offloader.shared.slots import Head

LOOK_SECONDS = 0.2
WEDGED_SECONDS = 20.0
MAX_PAUSE_SECONDS = 5.0
# A process that dies at its start dies every 6 s or so once the pauses are at their longest: the
# budget must be spent by that well within its window, else it never ends.
BUDGET_RESTARTS = 30
BUDGET_SECONDS = 300.0


class Process(Protocol):
    """What the watchdog asks of a managed process."""

    name: str

    @property
    def pid(self) -> int | None:
        """The pid; None before the start."""

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        ...


@dataclass(slots=True, eq=False)
class Watched:
    """One process: `head` is the memory in which it shows its heartbeat.

    The watchdog begins when each that `is_awaited` showed one: those whose start the worker
    manager guards.
    """

    process: Process
    head: memoryview
    on_restart: Callable[[], None]
    is_awaited: bool = True
    is_restarting: bool = False
    restart_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)


class Watchdog:
    """Looks after processes; `restart` asks for one by name, `give_up` ends the service."""

    def __init__(
        self,
        watched: list[Watched],
        restart: Callable[[str], None],
        give_up: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._restart = restart
        self._give_up = give_up
        self._clock = clock

    def run(self, stop: Event) -> None:
        """Wait until every awaited process showed a heartbeat, then look until `stop` is set.

        A restart asked for earlier would disarm the worker manager's own guard over the start.
        """
        while not stop.wait(LOOK_SECONDS):
            if all(one.head[Head.HEARTBEAT_NS] for one in self._watched if one.is_awaited):
                break
        while not stop.wait(LOOK_SECONDS):
            for one in self._watched:
                self.look(one)

    def look(self, one: Watched) -> None:
        """Look at one process and do what it needs."""
        now = self._clock()
        if one.process.is_alive():
            one.is_restarting = False
            self._check_heartbeat(one, now)
        elif not one.is_restarting:
            self._note_death(one, now)
        elif now >= one.restart_at:
            one.restart_at = now + MAX_PAUSE_SECONDS  # asked again if nothing came of it
            self._restart(one.process.name)

    def _check_heartbeat(self, one: Watched, now: float) -> None:
        beat_ns, pid = one.head[Head.HEARTBEAT_NS], one.process.pid
        is_its_own = pid is not None and one.head[Head.PID] == pid
        if is_its_own and beat_ns and now - beat_ns / 1e9 > WEDGED_SECONDS:
            log.error("process_wedged", process_name=one.process.name, pid=pid)
            one.head[Head.PID] = 0
            with suppress(ProcessLookupError):
                os.kill(int(pid or 0), signal.SIGKILL)

    def _note_death(self, one: Watched, now: float) -> None:
        while one.deaths and now - one.deaths[0] > BUDGET_SECONDS:
            one.deaths.popleft()
        one.deaths.append(now)
        one.on_restart()
        if len(one.deaths) > BUDGET_RESTARTS:
            died = f"{one.process.name} died {len(one.deaths)} times"
            self._give_up(f"{died} in {BUDGET_SECONDS:g} seconds")
            return
        pause_seconds = min(MAX_PAUSE_SECONDS, 0.4 * 1.5 ** (len(one.deaths) - 1))
        one.is_restarting = True
        one.restart_at = now + pause_seconds
        log.warning("process_died", process_name=one.process.name, restart_in_seconds=pause_seconds)
