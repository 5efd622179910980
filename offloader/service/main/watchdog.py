"""The watchdog: a thread of main that brings dead and wedged processes back.

The worker manager marks a dead process as failed and leaves it at that. The watchdog looks at
every process several times a second, kills one whose heartbeat stopped, and asks for a restart:
at once for a process that had been well, after a growing pause for one that dies right after its
start. One that does so again and again ends the service, for whoever runs it to start afresh.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from offloader.service import log
from offloader.shared.slots import Head

LOOK_SECONDS = 0.1
# However late a look comes, it counts for no more: what suspended or starved the watchdog did the
# same to the processes, and they must not be killed for that.
MOST_SECONDS_A_LOOK = 1.0
# For the first heartbeat. A worker waits 25 s for its memory, and ends itself.
START_SECONDS = 60.0
# A process that lived as long since its first heartbeat was well: something else killed it.
WELL_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.25
MAX_PAUSE_SECONDS = 5.0
# With the pauses and starts of half a second: after not quite three minutes.
MAX_QUICK_DEATHS = 30
FORGIVEN_SECONDS = 60.0
# A restart that was asked for is never lost; two of one process would be one too many.
ASK_AGAIN_SECONDS = 30.0


class Process(Protocol):
    """What the watchdog asks of a managed process."""

    name: str

    @property
    def pid(self) -> int | None:
        """The pid; None before the start."""

    @property
    def exitcode(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        ...


@dataclass(slots=True, eq=False)
class Watched:
    """One process: `head` is the memory in which it shows its heartbeat.

    Without one for `wedged_seconds` it is killed. The watchdog begins when each that `is_awaited`
    showed one: those whose start the worker manager guards.
    """

    process: Process
    head: memoryview
    on_restart: Callable[[], None]
    wedged_seconds: float
    is_awaited: bool = True
    beat_ns: int = 0  # the last one of this life; 0 before the first
    silent_seconds: float = 0.0  # since that, or since the start
    well_seconds: float = 0.0  # from the first heartbeat to now
    quick_deaths: int = 0  # since it last lived long
    quick_deaths_in_a_row: int = 0
    is_restarting: bool = False
    pause_seconds: float = 0.0  # until the restart is asked for


class Watchdog:
    """Looks after processes; `restart` asks for one by name, `give_up` ends the service.

    `stop` is set before any process is told to end, so that none of those ends is a death.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        stop: Event,
        restart: Callable[[str], None],
        give_up: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._stop = stop
        self._restart = restart
        self._give_up = give_up
        self._clock = clock
        self._looked_at = clock()

    def run(self, also: Callable[[], object] = lambda: None) -> None:
        """Wait until every awaited process showed a heartbeat, then look until stopped.

        A restart asked for earlier would disarm the worker manager's own guard over the start.
        `also` is done at each look.
        """
        while not self._stop.wait(LOOK_SECONDS):
            if all(one.head[Head.HEARTBEAT_NS] for one in self._watched if one.is_awaited):
                break
            dead = [one.process.name for one in self._watched if _died_at_start(one)]
            if dead:
                self._give_up(f"{dead[0]} died before every worker came up")
                return
        self._looked_at = self._clock()
        while not self._stop.wait(LOOK_SECONDS):
            self.look()
            also()

    def look(self) -> None:
        """Look at every process and do what it needs."""
        now = self._clock()
        passed = min(now - self._looked_at, MOST_SECONDS_A_LOOK)
        self._looked_at = now
        for one in self._watched:
            is_alive = one.process.is_alive()
            if self._stop.is_set():  # asked in this order: see the class
                return
            if is_alive:
                one.is_restarting = False
                self._check_heartbeat(one, passed)
            elif not one.is_restarting:
                self._note_death(one)
            else:
                one.pause_seconds -= passed
            if one.is_restarting and one.pause_seconds <= 0:
                one.pause_seconds = ASK_AGAIN_SECONDS
                self._restart(one.process.name)

    def _check_heartbeat(self, one: Watched, passed: float) -> None:
        if one.beat_ns:
            one.well_seconds += passed
        if one.well_seconds >= FORGIVEN_SECONDS:
            one.quick_deaths = 0
        is_its_own = one.head[Head.PID] == one.process.pid  # not of the process before
        beat_ns = one.head[Head.HEARTBEAT_NS] if is_its_own else 0
        one.silent_seconds = one.silent_seconds + passed if beat_ns == one.beat_ns else 0.0
        one.beat_ns = beat_ns
        if one.silent_seconds > (one.wedged_seconds if beat_ns else START_SECONDS):
            self._kill(one)

    def _kill(self, one: Watched) -> None:
        pid, silent_seconds = one.process.pid, round(one.silent_seconds, 1)
        log.error(
            "process_wedged", process_name=one.process.name, pid=pid, silent_seconds=silent_seconds
        )
        one.well_seconds -= one.silent_seconds
        one.silent_seconds = 0.0
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _note_death(self, one: Watched) -> None:
        one.on_restart()
        if one.well_seconds >= WELL_SECONDS:
            one.quick_deaths_in_a_row = 0
            one.pause_seconds = 0.0
        else:
            one.quick_deaths += 1
            one.quick_deaths_in_a_row += 1
            growth = 2.0 ** (one.quick_deaths_in_a_row - 1)
            one.pause_seconds = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * growth)
        one.beat_ns, one.silent_seconds, one.well_seconds = 0, 0.0, 0.0
        log.warning(
            "process_died",
            process_name=one.process.name,
            pid=one.process.pid,
            exit_code=one.process.exitcode,
            restart_in_seconds=one.pause_seconds,
        )
        one.is_restarting = True
        if one.quick_deaths >= MAX_QUICK_DEATHS:
            one.pause_seconds = float("inf")
            self._give_up(f"{one.process.name} died {one.quick_deaths} times right after its start")


def _died_at_start(one: Watched) -> bool:
    has_started = one.process.pid is not None
    return one.is_awaited and has_started and not one.process.is_alive()
