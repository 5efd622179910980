"""One build at a time, but for those that stand still."""

from __future__ import annotations

import subprocess
import sys
from threading import Event, Thread

import pytest

from offloader.service.builder.standstill import standstill_watched
from offloader.service.builder.turns import Turns

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
    begun = [one for one in (second, third) if one.has_begun.wait(SECONDS / 100)]
    assert len(begun) == 1
    first.end()
    assert not next(one for one in (second, third) if one not in begun).has_begun.wait(0.05)
    second.end()
    third.end()
    assert third.has_begun.is_set()


def test_a_process_that_waits_stands_still() -> None:
    """It is told once; one that works is not told."""
    for program, is_told in (("input()", True), ("while True: pass", False)):
        told = Event()
        with (
            subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process,
            standstill_watched(process.pid, told.set, seconds=0.2),
        ):
            assert told.wait(SECONDS if is_told else 1.0) is is_told
            process.kill()
