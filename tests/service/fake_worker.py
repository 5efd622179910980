"""A worker as main sees it: one end of a connection, answered by hand."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offloader.service.main.generations import Generations
from offloader.shared.attach import receive

NO_PROCESS = (1 << 22) + 1  # above the greatest pid there is


class FakeWorker:
    """A worker that joined; what main sends lies in its socket until it is read."""

    def __init__(self, generations: Generations, pid: int = NO_PROCESS) -> None:
        self._generations = generations
        self.mains_end, self._end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._end.setblocking(False)
        self.head = memoryview(bytearray(64)).cast("Q")
        self.peer = generations.join(self.mains_end, pid, self.head)

    def messages(self) -> list[dict[str, Any]]:
        """Read what main sent since the last time."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                message, descriptors = receive(self._end)
            except (BlockingIOError, EOFError):
                return found
            for descriptor in descriptors:
                os.close(descriptor)
            found.append(message)

    def offered(self) -> list[int]:
        """Read what main sent and return the numbers of the generations among it."""
        return [m["generation"] for m in self.messages() if "generation" in m]

    def attach(self, number: int) -> None:
        """Acknowledge a generation."""
        self._generations.acknowledge(self.peer, {"attached": number})

    def fail(self, number: int, reason: str) -> None:
        """Say that a generation could not be attached."""
        self._generations.acknowledge(self.peer, {"failed": number, "reason": reason})

    def end(self) -> None:
        """End, as a killed worker does."""
        self._end.close()
        self._generations.leave(self.peer)
        self.mains_end.close()

    def fill(self) -> None:
        """Have so much unread that main cannot send any more."""
        try:
            while True:
                self.mains_end.send(b"{}" + b" " * 4000, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return


@contextmanager
def sleeping_process() -> Iterator[subprocess.Popen[bytes]]:
    """Start a real child that does nothing, and end it afterwards."""
    with subprocess.Popen(["sleep", "100"]) as child:
        yield child
        child.kill()
