"""Rules of packets on the attach socket, and of who is let in."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from offloader.shared import attach
from offloader.shared.memory import map_sealed, memory_of
from tests.shared.descriptors import open_descriptors

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of one connection."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def test_a_packet_arrives_whole_with_its_descriptors(pair: Pair) -> None:
    """Message and descriptors travel together, packets stay apart and in order."""
    sent = [memory_of("test", b"one"), memory_of("test", b"two")]
    attach.send(pair[0], {"part": "p1"}, sent)
    attach.send(pair[0], {"drop": 3})
    message, received = attach.receive(pair[1])
    assert message == {"part": "p1"}
    assert [bytes(map_sealed(descriptor)) for descriptor in received] == [b"one", b"two"]
    assert not any(os.get_inheritable(descriptor) for descriptor in received)
    assert attach.receive(pair[1]) == ({"drop": 3}, [])
    for descriptor in [*sent, *received]:
        os.close(descriptor)


def test_a_packet_that_is_too_large_is_not_sent(pair: Pair) -> None:
    """128 KiB goes through, one byte more is refused before anything is sent."""
    room = attach.MAX_PACKET_BYTES - len('{"m":""}')
    attach.send(pair[0], {"m": "x" * room})
    assert attach.receive(pair[1])[0] == {"m": "x" * room}
    with pytest.raises(ValueError, match="a packet of 131073 bytes is too large"):
        attach.send(pair[0], {"m": "x" * (room + 1)})
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        attach.receive(pair[1])


def test_sending_now_does_not_wait_for_a_peer_that_does_not_read(pair: Pair) -> None:
    """A full socket takes nothing, loses nothing, and takes more once it was read."""
    sent = 0
    while attach.send_now(pair[0], {"number": sent, "filling": "x" * 10_000}):
        sent += 1
    assert sent > 10
    assert not attach.send_now(pair[0], {"number": sent})
    assert [attach.receive(pair[1])[0]["number"] for _ in range(sent)] == list(range(sent))
    made = memory_of("test", b"content")
    assert attach.send_now(pair[0], {"part": "p1"}, [made])
    message, (received,) = attach.receive(pair[1])
    assert (message, os.pread(received, 10, 0)) == ({"part": "p1"}, b"content")
    os.close(received)
    os.close(made)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS])
def test_what_the_kernel_does_not_take_now_is_no_error(number: int) -> None:
    """Its buffers may be full, or too many descriptors on their way at once."""
    assert not attach.send_now(Refusing(number), {"part": "p1"}, [0])


def test_sending_now_to_a_peer_that_is_gone_is_an_error(pair: Pair) -> None:
    """Nothing will ever be taken."""
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        attach.send_now(pair[0], {"drop": [1]})


class Refusing(socket.socket):
    """A socket that refuses to send."""

    def __init__(self, number: int) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._number = number

    def sendmsg(self, *_: object) -> int:
        raise OSError(self._number, "refused")


def test_as_many_descriptors_go_into_a_packet_as_are_allowed(pair: Pair) -> None:
    """64 arrive, none is lost."""
    made = memory_of("test", b"content")
    attach.send(pair[0], {}, [made] * attach.MAX_DESCRIPTORS)
    received = attach.receive(pair[1])[1]
    assert len(set(received)) == attach.MAX_DESCRIPTORS == 64
    for descriptor in [made, *received]:
        os.close(descriptor)


def test_the_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    """In a process whose soft limit is low, and twice without harm."""
    look = "resource.getrlimit(resource.RLIMIT_NOFILE)"
    code = (
        "import resource; from offloader.shared.attach import allow_many_descriptors;"
        " resource.setrlimit(resource.RLIMIT_NOFILE, (300, 4000));"
        f" print(allow_many_descriptors(), {look}, allow_many_descriptors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "4000 (4000, 4000) 4000\n"


def test_a_closed_peer_is_an_end_of_file(pair: Pair) -> None:
    """Receiving from a peer that closed raises EOFError; sending to it raises OSError."""
    pair[0].close()
    with pytest.raises(EOFError, match="the peer is gone"):
        attach.receive(pair[1])
    with pytest.raises(BrokenPipeError):
        attach.send(pair[1], {"attached": 1})


@pytest.mark.parametrize(
    ("packet", "descriptors", "message"),
    [
        (b"x" * (attach.MAX_PACKET_BYTES + 1), 1, "a packet was cut short"),
        (b"{}", attach.MAX_DESCRIPTORS + 1, "a packet was cut short"),
        (b"no json", 1, "a packet is not a JSON object"),
        (b"[1]", 1, "a packet is not a JSON object"),
        (b"\xff\xfe", 1, "a packet is not a JSON object"),
    ],
)
def test_a_packet_that_is_not_ours_is_refused_and_its_descriptors_are_closed(
    pair: Pair, packet: bytes, descriptors: int, message: str
) -> None:
    """A malformed packet is an OSError and leaves nothing open."""
    made = memory_of("test", b"content")
    socket.send_fds(pair[0], [packet], [made] * descriptors)
    before = open_descriptors()
    with pytest.raises(OSError, match=message):
        attach.receive(pair[1])
    assert open_descriptors() <= before
    os.close(made)


def test_an_empty_packet_is_an_end_of_file_and_its_descriptors_are_closed(pair: Pair) -> None:
    """Nobody of ours sends no bytes, so it is treated as the end."""
    made = memory_of("test", b"content")
    socket.send_fds(pair[0], [b""], [made])
    before = open_descriptors()
    with pytest.raises(EOFError):
        attach.receive(pair[1])
    assert open_descriptors() <= before
    os.close(made)


def test_nobody_listens_any_more_is_an_os_error_and_leaks_nothing() -> None:
    """Connecting to a main that is gone fails at once."""
    server, address = attach.listen()
    server.close()
    before = open_descriptors()
    with pytest.raises(ConnectionRefusedError):
        attach.connect(address)
    assert open_descriptors() <= before


def test_addresses_cannot_be_guessed() -> None:
    """Each socket has 128 random bits in its name."""
    made = [attach.listen() for _ in range(2)]
    assert made[0][1] != made[1][1]
    assert all(len(address.rsplit("-", 1)[1]) == 32 for _, address in made)
    for server, _ in made:
        server.close()


_CONNECT = """
import sys
from offloader.shared.attach import connect
connection = connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
"""


def test_a_child_is_known_by_the_kernels_word() -> None:
    """A child of this process is let in, with the pid the kernel names."""
    server, address = attach.listen()
    command = [sys.executable, "-c", _CONNECT, address]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    connection, _ = server.accept()
    assert attach.is_own_child(connection)
    assert attach.peer_pid(connection) == child.pid
    child.communicate()
    connection.close()
    server.close()


def test_this_process_itself_is_no_child_of_it() -> None:
    """Only children are let in: not the process, and so nothing that merely shares its user."""
    server, address = attach.listen()
    client = attach.connect(address)
    connection, _ = server.accept()
    assert not attach.is_own_child(connection)
    for one in (client, connection, server):
        one.close()


def test_a_child_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of the peer must be the one this process runs as."""
    monkeypatch.setattr(attach, "parent_of", lambda _pid: os.getpid())
    server, address = attach.listen()
    client = attach.connect(address)
    connection, _ = server.accept()
    assert attach.is_own_child(connection)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not attach.is_own_child(connection)
    for one in (client, connection, server):
        one.close()


def test_the_parent_is_read_whatever_a_process_calls_itself() -> None:
    """A name with brackets and spaces does not shift the fields; no such process has parent 0."""
    rename = "from pathlib import Path; Path('/proc/self/comm').write_text(') R 1 (x')"
    wait = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", f"{rename}; {wait}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert attach.parent_of(child.pid) == os.getpid()
        child.communicate()
    assert attach.parent_of(child.pid) == 0
