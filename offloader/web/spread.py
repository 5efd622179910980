"""Even load: a connection goes to the worker that has the fewest.

All workers accept from one listening socket, and whoever wakes first takes all that waits there.
So a worker that has more connections than another hands a new one on before it reads a byte: it
puts the descriptor into the other's mailbox and closes its own. How many connections a worker has
stands in its slot, how many are on their way to it the kernel counts. What a worker has not taken
from its mailbox after TAKE_BACK_SECONDS the giver takes back and answers itself.
"""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanic.server.protocols.http_protocol import HttpProtocol

from offloader.shared.mailbox import Mailbox
from offloader.shared.slots import Head, Slots

# Far longer than a loop is held: who has not looked by then was killed in between, or is stuck.
TAKE_BACK_SECONDS = 0.1
# A worker beats every second.
_SILENT_NS = 3_000_000_000
_ONCE_NS = -1


@dataclass(slots=True, eq=False)
class _Sibling:
    """Another worker; `unanswered_beat` is its last heartbeat when it left a connection lying."""

    head: memoryview
    mailbox: Mailbox
    unanswered_beat: int = _ONCE_NS

    def seems_well(self, now_ns: int) -> bool:
        """Tell whether its loop turned lately."""
        beat = self.head[Head.HEARTBEAT_NS]
        return beat != self.unanswered_beat and now_ns - beat < _SILENT_NS

    def avoid(self) -> None:
        """Give it nothing before its next heartbeat."""
        self.unanswered_beat = self.head[Head.HEARTBEAT_NS]


class Spread:
    """One worker's part; `mailboxes` are those of all workers, in order. Loop thread only.

    Without mailboxes nothing is handed on and connections are only counted.
    """

    def __init__(
        self,
        own: int,
        slots: Slots,
        mailboxes: Sequence[Mailbox],
        is_draining: Callable[[], bool],
    ) -> None:
        self._head = slots.head(own)
        self._mailbox = mailboxes[own] if mailboxes else None
        # The next one first, so that equals do not all choose the same.
        others = [*range(own + 1, len(mailboxes)), *range(min(own, len(mailboxes)))]
        self._siblings = [_Sibling(slots.head(n), mailboxes[n]) for n in others]
        self._is_draining = is_draining
        self._connections: Sized = ()
        self._make: Callable[[], asyncio.Protocol] | None = None
        self._is_taking = False
        self._arriving = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, make: Callable[[], asyncio.Protocol], connections: Sized) -> None:
        """Take over what siblings hand on; `connections` are the server's own set of open ones.

        What lies in the mailbox was meant for the worker before this one, and is answered too.
        """
        self._make, self._connections, self._is_taking = make, connections, True
        self.note()
        if self._mailbox is not None:
            asyncio.get_running_loop().add_reader(self._mailbox.exit.fileno(), self._take)

    def stop(self) -> None:
        """Take no more: the server is about to close what is idle."""
        self._is_taking = False
        if self._mailbox is not None:
            asyncio.get_running_loop().remove_reader(self._mailbox.exit.fileno())

    def hands_on(self, transport: asyncio.BaseTransport) -> bool:
        """Tell whether a connection that was just accepted is another's now.

        The caller then closes its transport: of two descriptors of a socket the first to be closed
        ends nothing.
        """
        if not self._siblings or not self._is_taking or self._is_draining():
            return False
        sibling = self._least_loaded()
        if sibling is None:
            return False
        if not is_running(sibling.head[Head.PID]):
            sibling.avoid()
            return False
        looks = sibling.head[Head.LOOKS]
        if not sibling.mailbox.put(transport.get_extra_info("socket").fileno()):
            return False
        asyncio.get_running_loop().call_later(TAKE_BACK_SECONDS, self._take_back, sibling, looks)
        return True

    def arrive(self) -> None:
        """Note that a connection which was handed on to this worker is open here."""
        self._arriving -= 1

    def note(self) -> None:
        """Show the others how many connections this worker has."""
        self._head[Head.CONNECTIONS] = len(self._connections) + self._arriving

    def _least_loaded(self) -> _Sibling | None:
        """Return the sibling with the fewest connections, if it has fewer than this worker."""
        least, found, now_ns = self._head[Head.CONNECTIONS], None, time.monotonic_ns()
        for sibling in self._siblings:
            load = sibling.head[Head.CONNECTIONS]
            if load < least and sibling.seems_well(now_ns):
                load += sibling.mailbox.waiting
                if load < least:
                    least, found = load, sibling
        return found

    def _take(self) -> None:
        assert self._mailbox is not None
        for descriptor in self._mailbox.take():
            self._adopt(descriptor)
        self._head[Head.LOOKS] += 1

    def _take_back(self, sibling: _Sibling, looks: int) -> None:
        """Take what lies with a worker that has not looked since: when it does it takes all."""
        if not self._is_taking or sibling.head[Head.LOOKS] != looks:
            return
        for descriptor in sibling.mailbox.take():
            sibling.avoid()
            self._adopt(descriptor)

    def _adopt(self, descriptor: int) -> None:
        self._arriving += 1
        self.note()
        task = asyncio.get_running_loop().create_task(self._open(socket.socket(fileno=descriptor)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, accepted: socket.socket) -> None:
        assert self._make is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._make, accepted)
        except BaseException as error:
            accepted.close()
            self.arrive()
            self.note()
            if not isinstance(error, OSError):  # that one says that the caller has gone
                raise


def is_running(pid: int) -> bool:
    """Tell whether a process is there, and neither stopped nor dead without being reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split(maxsplit=1)[0] not in b"ZXxTt"


class SpreadProtocol(HttpProtocol):
    """Sanic's protocol for connections that may be handed on.

    `connection_made` of a subclass finds `transport` None when that was done.
    """

    __slots__ = ("_is_handed_on", "is_adopted")

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.is_adopted = False
        self._is_handed_on = False

    def connection_made(self, transport: Any) -> None:
        """Keep a connection or hand it on."""
        spread: Spread = self.app.ctx.spread
        if self.is_adopted:
            spread.arrive()
        elif spread.hands_on(transport):
            self._is_handed_on = True
            transport.abort()
            return
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        spread.note()

    def close_if_idle(self) -> bool:
        """Close unless a request has arrived, though nobody has looked at it yet."""
        transport = self.transport
        if self.recv_buffer or (transport is not None and _has_sent(transport)):
            return False
        return super().close_if_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection; nothing was known of one that was handed on."""
        if not self._is_handed_on:
            super().connection_lost(exc)  # type: ignore[no-untyped-call]
            spread: Spread = self.app.ctx.spread
            spread.note()


def _has_sent(transport: Any) -> bool:
    """Tell whether bytes of the caller, or its end, lie in a socket that is still read."""
    own = transport.get_extra_info("socket")
    if own is None or transport.is_closing():
        return False
    look = select.poll()
    look.register(own.fileno(), select.POLLIN)
    return bool(look.poll(0))


def maker(app: Any, served: Mapping[str, Any]) -> Callable[[], SpreadProtocol]:
    """Return what makes a protocol for a connection that another worker handed on.

    As the server makes it for its own: `served` are the settings it serves `app` with.
    """
    names = ("connections", "signal")
    named = {"loop": asyncio.get_running_loop(), "app": app} | {n: served[n] for n in names}

    def make() -> SpreadProtocol:
        protocol: SpreadProtocol = served["protocol"](**named)
        protocol.is_adopted = True
        return protocol

    return make
