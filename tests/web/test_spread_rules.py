"""Rules of handing on a connection: to whom, to whom not, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from offloader.shared.mailbox import make_mailboxes
from offloader.shared.slots import Head, Slots
from offloader.web import spread as spread_module
from offloader.web.spread import Spread, is_running
from tests.web.spread_world import WORKERS, World, in_loop, until


@pytest.fixture
def world() -> Iterator[World]:
    """Return three workers with nothing to do."""
    slots, mailboxes = Slots(WORKERS), make_mailboxes(WORKERS)
    made = World(slots, mailboxes, Spread(0, slots, mailboxes, lambda: made.is_draining))
    yield made
    for caller in made.callers:
        caller.close()
    for mailbox in mailboxes:
        mailbox.close()
    slots.close()


@pytest.mark.parametrize(
    ("loads", "waiting"),
    [
        ((0, 0, 0), [0, 0, 0]),
        ((3, 3, 3), [0, 0, 0]),
        ((3, 4, 3), [0, 0, 0]),
        ((4, 4, 3), [0, 0, 1]),
        ((4, 3, 3), [0, 1, 0]),
        ((9, 2, 1), [0, 0, 1]),
    ],
)
def test_it_goes_to_who_has_the_fewest(
    world: World, loads: tuple[int, ...], waiting: list[int]
) -> None:
    """A worker keeps it unless another has fewer; of equals the next one gets it."""

    def test() -> None:
        world.start()
        world.loads(*loads)
        assert world.accept() == (waiting != [0, 0, 0])
        assert world.waiting() == waiting

    in_loop(test)


def test_what_is_on_its_way_counts(world: World) -> None:
    """A burst is dealt out evenly before anybody has looked into a mailbox."""

    def test() -> None:
        world.start()
        world.loads(4, 0, 2)
        assert [world.accept() for _ in range(7)] == [True] * 6 + [False]
        assert world.waiting() == [0, 4, 2]

    in_loop(test)


def test_nothing_is_handed_on_in_a_drain_or_before_the_start(world: World) -> None:
    """Who is about to stop, or has not begun, answers what it has accepted itself."""

    def test() -> None:
        world.loads(9, 0, 0)
        assert not world.accept()
        world.start()
        world.is_draining = True
        assert not world.accept()
        world.is_draining = False
        assert world.accept()
        world.spread.stop()
        assert not world.accept()

    in_loop(test)


def test_who_shows_no_heartbeat_gets_nothing(world: World) -> None:
    """A worker that is starting, or whose loop has not turned for 3 s, is no choice."""

    def test() -> None:
        world.start()
        world.loads(9, 0, 5)
        world.slots.head(1)[Head.HEARTBEAT_NS] = 0
        assert world.accept()
        assert world.waiting() == [0, 0, 1]
        world.slots.head(2)[Head.HEARTBEAT_NS] -= 3_100_000_000
        assert not world.accept()

    in_loop(test)


def test_who_is_dead_gets_nothing_until_its_next_heartbeat(world: World) -> None:
    """Its words stay as they were when it was killed; the one after it beats again."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    def test() -> None:
        world.start()
        world.loads(9, 0, 9)
        world.slots.head(1)[Head.PID] = ended.pid
        assert not world.accept()
        world.slots.head(1)[Head.PID] = os.getpid()
        assert not world.accept()
        world.slots.head(1)[Head.HEARTBEAT_NS] += 1
        assert world.accept()

    in_loop(test)


def test_a_stopped_process_is_not_running() -> None:
    """Neither is one that was not reaped; a living one is."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert is_running(process.pid)
            process.send_signal(19)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            assert not is_running(process.pid)
        finally:
            process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(process.pid)
    assert not is_running(process.pid)


def test_what_is_left_lying_is_taken_back_and_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The giver answers it itself, and gives that worker nothing more before it beats again."""
    monkeypatch.setattr(spread_module, "TAKE_BACK_SECONDS", 0.01)

    async def test() -> None:
        world.start()
        world.loads(2, 0, 5)
        assert world.accept()
        assert world.waiting() == [0, 1, 0]
        await until(lambda: len(world.connections) == 3)
        assert world.waiting() == [0, 0, 0]
        assert world.callers[0].recv(5) == b"hello"
        assert world.slots.head(0)[Head.CONNECTIONS] == 3
        assert not world.accept()

    in_loop(test)


def test_nothing_is_taken_back_from_who_has_looked_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there then came later, and its own giver waits for it."""
    monkeypatch.setattr(spread_module, "TAKE_BACK_SECONDS", 0.01)

    async def test() -> None:
        world.start()
        world.loads(2, 0, 5)
        assert world.accept()
        world.slots.head(1)[Head.LOOKS] += 1
        await asyncio.sleep(0)
        due = asyncio.get_running_loop().time() + 0.02
        await until(lambda: asyncio.get_running_loop().time() > due)
        assert world.waiting() == [0, 1, 0]

    in_loop(test)


def test_what_was_meant_for_the_worker_before_is_answered(world: World) -> None:
    """Connections that lie in the mailbox at the start are the new worker's."""
    mine, accepted = socket.socketpair()
    world.callers.append(mine)
    with accepted:
        assert world.mailboxes[0].put(accepted.fileno())

    async def test() -> None:
        world.start()
        await until(lambda: world.connections)
        assert mine.recv(5) == b"hello"
        assert world.slots.head(0)[Head.LOOKS] == 1

    in_loop(test)


def test_a_lone_worker_only_counts() -> None:
    """Without mailboxes nothing is looked at but its own word."""
    slots = Slots(1)
    spread, connections = Spread(0, slots, (), bool), {1, 2}

    def test() -> None:
        spread.start(asyncio.Protocol, connections)
        assert not spread.hands_on(asyncio.BaseTransport())
        assert slots.head(0)[Head.CONNECTIONS] == 2

    in_loop(test)
    slots.close()
