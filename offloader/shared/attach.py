"""The attach socket: how workers and the reloader get descriptors from main.

An abstract unix socket of SOCK_SEQPACKET: it needs no writable folder and is gone with main. A
packet is one JSON object of at most 128 KiB with at most 64 descriptors (SCM_RIGHTS, unix(7)). Main
talks only to its own children of its own uid, as the kernel names them (SO_PEERCRED).
"""

from __future__ import annotations

import errno
import json
import os
import resource
import secrets
import socket
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MAX_PACKET_BYTES = 128 * 1024
MAX_DESCRIPTORS = 64  # the kernel's own bound is 253
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid
_DESCRIPTOR = struct.Struct("i")
# The socket's buffer is full, or too many descriptors are on their way at once (unix(7)).
_NOT_NOW = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS)


def listen() -> tuple[socket.socket, str]:
    """Return a listening socket and the address that `connect` takes."""
    address = f"offloader-{os.getpid()}-{secrets.token_hex(16)}"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(f"\0{address}")
    server.listen(128)
    return server, address


def connect(address: str) -> socket.socket:
    """Connect to main; raises OSError when it is gone."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        client.connect(f"\0{address}")
    except OSError:
        client.close()
        raise
    return client


def is_own_child(connection: socket.socket) -> bool:
    """Tell whether the peer is a child of this process and runs as the same user."""
    pid, uid, _ = _peer(connection)
    return uid == os.getuid() and parent_of(pid) == os.getpid()


def is_sibling(connection: socket.socket) -> bool:
    """Tell whether the peer is a child of the same main and runs as the same user."""
    pid, uid, _ = _peer(connection)
    return uid == os.getuid() and parent_of(pid) == os.getppid()


def peer_pid(connection: socket.socket) -> int:
    """Return the pid of the process that connected, as the kernel knows it."""
    return _peer(connection)[0]


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, gid = _PEER.unpack(raw)
    return pid, uid, gid


def parent_of(pid: int) -> int:
    """Return the parent's pid of a process; 0 when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])  # the name before it may hold anything


def allow_many_descriptors() -> int:
    """Raise this process's limit of open descriptors as far as it may; return the limit.

    It bounds three things: the segments main holds, the connections of a worker, and the
    descriptors on their way through the attach socket, which are counted by user.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def send(connection: socket.socket, message: object, descriptors: Sequence[int] = ()) -> None:
    """Send one packet; raises OSError when the peer is gone or does not read."""
    socket.send_fds(connection, [_packet(message)], list(descriptors))


def send_now(connection: socket.socket, message: object, descriptors: Sequence[int] = ()) -> bool:
    """Send one packet if the socket takes it at once; return whether it did.

    Raises OSError when the peer is gone.
    """
    packet = _packet(message)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))
    try:
        # Not socket.send_fds: it drops the flag.
        connection.sendmsg([packet], [rights] if descriptors else [], socket.MSG_DONTWAIT)
    except OSError as error:
        if error.errno in _NOT_NOW:
            return False
        raise
    return True


def _packet(message: object) -> bytes:
    packet = json.dumps(message, separators=(",", ":")).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError(f"a packet of {len(packet)} bytes is too large")
    return packet


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive one packet and the descriptors that came with it, which the caller closes.

    Raises EOFError when the peer closed, OSError on a broken socket, a packet cut short, or one
    that is no JSON object.
    """
    # Not socket.recv_fds: it drops the flag, and a builder must inherit none of them.
    room = socket.CMSG_LEN(MAX_DESCRIPTORS * _DESCRIPTOR.size)
    packet, control, flags, _ = connection.recvmsg(MAX_PACKET_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = [
        descriptor
        for level, kind, content in control
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for (descriptor,) in _DESCRIPTOR.iter_unpack(content)
    ]
    try:
        return _message(packet, flags), descriptors
    except (OSError, EOFError):
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _message(packet: bytes, flags: int) -> dict[str, Any]:
    if not packet:
        raise EOFError("the peer is gone")
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise OSError("a packet was cut short")
    try:
        return dict(json.loads(packet))
    except (ValueError, TypeError) as error:
        raise OSError("a packet is not a JSON object") from error
