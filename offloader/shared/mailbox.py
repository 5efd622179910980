"""Mailboxes: open descriptors on their way from one process to another, kept by the kernel.

A mailbox is a pair of connected unix sockets (SOCK_SEQPACKET) that main makes before its workers
and that each of them holds both ends of. A message is one byte with one descriptor (SCM_RIGHTS,
unix(7)). The kernel hands every message to exactly one reader, whoever reads first, and keeps it
when a process ends: nothing is locked, and nothing is lost with the one it was meant for.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from array import array
from dataclasses import dataclass

_DESCRIPTOR = struct.Struct("i")
_ROOM = socket.CMSG_LEN(_DESCRIPTOR.size)
_NO_BYTES = bytes(_DESCRIPTOR.size)


@dataclass(frozen=True, slots=True, eq=False)
class Mailbox:
    """Both ends of one mailbox. Travels to a child process as sockets do (multiprocessing)."""

    entrance: socket.socket
    exit: socket.socket

    @property
    def waiting(self) -> int:
        """How many messages lie in it, as the kernel counts them."""
        told = fcntl.ioctl(self.exit.fileno(), termios.FIONREAD, _NO_BYTES)
        return int.from_bytes(told, sys.byteorder)  # bytes, and each message is one

    def put(self, descriptor: int) -> bool:
        """Put in a descriptor, which stays open here; return whether there was room for it."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", (descriptor,)))
        try:
            self.entrance.sendmsg((b"\0",), (rights,), socket.MSG_DONTWAIT)
        except OSError:  # full, or too many descriptors of this user are on their way
            return False
        return True

    def take(self) -> list[int]:
        """Take out all descriptors that lie in it; they are the caller's to close."""
        taken: list[int] = []
        while (found := self._next()) is not None:
            taken += found
        return taken

    def close(self) -> None:
        """Close both ends here."""
        self.entrance.close()
        self.exit.close()

    def _next(self) -> list[int] | None:
        """Return what one message brings: nothing if this process may open no more."""
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        try:
            _, control, _, _ = self.exit.recvmsg(1, _ROOM, flags)
        except BlockingIOError:
            return None
        return [
            descriptor
            for level, kind, content in control
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            for (descriptor,) in _DESCRIPTOR.iter_unpack(content)
        ]


def make_mailboxes(count: int) -> tuple[Mailbox, ...]:
    """Make `count` mailboxes, none when there is nobody to send anything."""
    if count < 2:
        return ()
    pairs = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count))
    return tuple(Mailbox(entrance, exit_) for entrance, exit_ in pairs)
