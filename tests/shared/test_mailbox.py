"""Rules of a mailbox: every descriptor comes out once, whoever looks, and none is lost."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator

import pytest

from offloader.shared.mailbox import Mailbox, make_mailboxes
from tests.shared.descriptors import eventually, open_descriptors


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """One of two mailboxes, both closed after the test."""
    first, second = make_mailboxes(2)
    yield first
    first.close()
    second.close()


def pipes(count: int) -> list[tuple[int, int]]:
    """Return pipes, ends for reading and for writing."""
    return [os.pipe() for _ in range(count)]


def said(descriptor: int) -> bytes:
    """Return what a pipe says up to its end, and close it."""
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def test_descriptors_come_out_in_order_and_only_once(mailbox: Mailbox) -> None:
    """Each is open for the taker, and still for the giver; then the mailbox is empty."""
    made = pipes(3)
    for number, (reading, writing) in enumerate(made):
        os.write(writing, b"%d" % number)
        os.close(writing)
        assert mailbox.put(reading)
        os.close(reading)
    taken = mailbox.take()
    assert [said(descriptor) for descriptor in taken] == [b"0", b"1", b"2"]
    assert mailbox.take() == []


def test_what_waits_is_counted(mailbox: Mailbox) -> None:
    """Anybody who has the mailbox sees how many descriptors lie in it."""
    (reading, writing) = os.pipe()
    assert mailbox.waiting == 0
    for number in (1, 2, 3):
        assert mailbox.put(reading)
        assert mailbox.waiting == number
    for descriptor in (*mailbox.take(), reading, writing):
        os.close(descriptor)
    assert mailbox.waiting == 0


def test_a_full_mailbox_takes_nothing_more_and_loses_nothing(mailbox: Mailbox) -> None:
    """The giver is told, at once, and keeps what it has."""
    (reading, writing) = os.pipe()
    held = 0
    while mailbox.put(reading):
        held += 1
        assert held < 100_000
    assert mailbox.waiting == held
    taken = mailbox.take()
    assert len(taken) == held
    assert mailbox.put(reading)
    for descriptor in (*taken, *mailbox.take(), reading, writing):
        os.close(descriptor)


def test_no_child_inherits_what_was_taken(mailbox: Mailbox) -> None:
    """A builder must not hold a caller's connection open."""
    (reading, writing) = os.pipe()
    mailbox.put(reading)
    (taken,) = mailbox.take()
    assert fcntl.fcntl(taken, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    for descriptor in (taken, reading, writing):
        os.close(descriptor)


def test_what_lies_in_a_mailbox_is_closed_with_it() -> None:
    """A caller whose connection nobody will take is told so by its end."""
    before = open_descriptors()
    mailboxes = make_mailboxes(2)
    mine, yours = socket.socketpair()
    assert mailboxes[0].put(yours.fileno())
    yours.close()
    for mailbox in mailboxes:
        mailbox.close()
    with mine:
        assert mine.recv(1) == b""
    eventually(lambda: open_descriptors() <= before)


@pytest.mark.parametrize(("workers", "count"), [(1, 0), (2, 2), (8, 8)])
def test_who_is_alone_has_no_mailbox(workers: int, count: int) -> None:
    """There is nobody to send anything."""
    mailboxes = make_mailboxes(workers)
    assert len(mailboxes) == count
    for mailbox in mailboxes:
        mailbox.close()
