"""One build at a time, but for those that stand still."""

from __future__ import annotations

import subprocess
import sys
from threading import Event, Thread

import pytest

from offloader.service.builder.standstill import standstill_watched
from offloader.service.builder.turns import Turns
from tests.shared.descriptors import eventually

SECONDS = 20.0


class Taking:
    """A thread that takes a turn; it ends when `done` is set."""

    def __init__(self, turns: Turns) -> None:
        self.has_begun, self.done, self.pass_on = Event(), Event(), Event()
        self._turns = turns
        self.thread = Thread(target=self._take)
        self.thread.start()

    def _take(self) -> None:
        with self._turns.turn() as pass_on:
            self.has_begun.set()
            while not self.done.wait(0.001):
                if self.pass_on.is_set():
                    pass_on()

    def end(self) -> None:
        self.done.set()
        self.thread.join(SECONDS)


def test_a_turn_begins_when_the_one_before_ends() -> None:
    """Never two at once; an error ends a turn too."""
    turns = Turns()
    first = Taking(turns)
    assert first.has_begun.wait(SECONDS)
    second = Taking(turns)
    assert not second.has_begun.wait(0.05)
    first.end()
    assert second.has_begun.wait(SECONDS)
    second.end()
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    with turns.turn():
        pass


def test_a_turn_can_be_passed_on_once() -> None:
    """Who stands still lets the next begin; what it does later takes nobody's turn."""
    turns = Turns()
    first = Taking(turns)
    assert first.has_begun.wait(SECONDS)
    second, third = Taking(turns), Taking(turns)
    first.pass_on.set()
    eventually(lambda: second.has_begun.is_set() or third.has_begun.is_set())
    begun, other = (second, third) if second.has_begun.is_set() else (third, second)
    assert not other.has_begun.wait(0.05)
    first.end()
    assert not other.has_begun.wait(0.05)
    begun.end()
    assert other.has_begun.wait(SECONDS)
    other.end()


def test_a_process_that_waits_stands_still() -> None:
    """It is told once; one that works is not told."""
    # A busy machine may not let a process work for some tenths of a second.
    for program, seconds, is_told in (("input()", 0.2, True), ("while True: pass", 2.0, False)):
        told = Event()
        with (
            subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process,
            standstill_watched(process.pid, told.set, seconds=seconds),
        ):
            assert told.wait(SECONDS if is_told else 1.5 * seconds) is is_told
            process.kill()
