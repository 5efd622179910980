"""Workers of which only the first is there: what it would do with a connection, and does."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from offloader.shared.mailbox import Mailbox
from offloader.shared.slots import Head, Slots
from offloader.web.spread import Spread

WORKERS = 3


class Opened(asyncio.Protocol):
    """A connection that was taken over; it says hello."""

    def __init__(self, spread: Spread, connections: set[Any]) -> None:
        self._spread, self._connections = spread, connections

    def connection_made(self, transport: Any) -> None:
        """Count it, and say hello."""
        self._spread.arrive()
        self._connections.add(self)
        self._spread.note()
        transport.write(b"hello")
        transport.close()


@dataclass(slots=True, eq=False)
class World:
    """Three workers, of which the first is this process; `loads` shows connections of all."""

    slots: Slots
    mailboxes: tuple[Mailbox, ...]
    spread: Spread
    connections: set[Any] = field(default_factory=set)
    is_draining: bool = False
    callers: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        """Begin to take part; in a running loop."""
        self.spread.start(lambda: Opened(self.spread, self.connections), self.connections)

    def loads(self, own: int, *others: int) -> None:
        """Show how many connections each worker has, all of them well."""
        self.connections.update(range(own))
        self.spread.note()
        for worker, load in enumerate(others, start=1):
            head = self.slots.head(worker)
            head[Head.PID], head[Head.CONNECTIONS] = os.getpid(), load
            head[Head.HEARTBEAT_NS] = time.monotonic_ns()

    def accept(self) -> bool:
        """Accept a connection; return whether it was handed on."""
        mine, accepted = socket.socketpair()
        self.callers.append(mine)
        transport: Any = SimpleNamespace(get_extra_info=lambda _name: accepted)
        with accepted:
            return self.spread.hands_on(transport)

    def waiting(self) -> list[int]:
        """Return what lies in each mailbox."""
        return [mailbox.waiting for mailbox in self.mailboxes]


def in_loop(test: Callable[[], Any]) -> None:
    """Run what needs a loop that turns."""

    async def run() -> None:
        found = test()
        if found is not None:
            await found

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
