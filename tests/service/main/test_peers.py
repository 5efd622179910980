"""Rules of telling workers: many parts a packet, nothing waits, and nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from offloader.service.main import peers as peers_module
from offloader.service.main.generations import Generations
from offloader.service.main.offers import Offer
from offloader.service.main.part_store import PartStore
from offloader.service.main.peers import Peer, lowest_in_use
from offloader.shared.attach import receive, send_now
from offloader.shared.slots import Head
from tests.service.fake_worker import NO_PROCESS, FakeWorker, sleeping_process
from tests.service.loaded import Loaded
from tests.service.swapping import SHORT_SECONDS, Entries, serve
from tests.shared.descriptors import eventually


@pytest.fixture
def contents(made: Loaded) -> Iterator[PartStore]:
    """A store of 300 small pieces of memory, `p000` to `p299`."""
    store = PartStore(made.cache, 1 << 30)
    for number in range(300):
        store.keep_content(f"p{number:03}", b"%d" % number)
    yield store
    store.keep_only([])


def offer(number: int, keys: range, descriptor: int) -> Offer:
    """Return a generation of these pieces."""
    return Offer(number, descriptor, tuple(f"p{key:03}" for key in keys), {}, {})


def head() -> memoryview:
    """Return the words of a slot that says nothing."""
    return memoryview(bytearray(64)).cast("Q")


def test_a_packet_carries_many_parts(contents: PartStore) -> None:
    """300 parts are five packets, each piece under its key, and then the generation."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peer = Peer(ours, 1, head())
        peer.update({1: offer(1, range(300), contents["p007"].descriptor)}, 0, contents)
        assert not peer.is_behind
        found: dict[str, bytes] = {}
        counts = []
        for _ in range(5):
            message, descriptors = receive(theirs)
            counts.append(len(message["parts"]))
            for key, descriptor in zip(message["parts"], descriptors, strict=True):
                found[key] = os.pread(descriptor, 10, 0)
                os.close(descriptor)
        assert counts == [64, 64, 64, 64, 44]
        assert found == {f"p{number:03}": b"%d" % number for number in range(300)}
        message, (descriptor,) = receive(theirs)
        assert (message, os.pread(descriptor, 10, 0)) == ({"generation": 1}, b"7")
        os.close(descriptor)


def test_what_no_generation_needs_is_forgotten_and_the_rest_is_not_sent_again(
    contents: PartStore,
) -> None:
    """Only the difference between two generations travels."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peer = Peer(ours, 1, head())
        document = contents["p000"].descriptor
        first, second = offer(1, range(3), document), offer(2, range(1, 4), document)
        peer.update({1: first}, 1, contents)
        peer.update({1: first, 2: second}, 1, contents)
        peer.update({2: second}, 2, contents)
        peer.update({2: second}, 2, contents)
        messages: list[dict[str, Any]] = []
        theirs.setblocking(False)
        while len(messages) < 6:
            message, descriptors = receive(theirs)
            messages.append(message)
            for descriptor in descriptors:
                os.close(descriptor)
        assert messages == [
            {"parts": ["p000", "p001", "p002"]},
            {"generation": 1},
            {"parts": ["p003"]},
            {"generation": 2},
            {"drop": [1]},
            {"forget": ["p000"]},
        ]
        with pytest.raises(BlockingIOError):
            receive(theirs)


def test_a_stopped_worker_takes_a_large_swap_without_reading(contents: PartStore) -> None:
    """300 parts and a hundred small swaps fit the socket of a worker that reads nothing."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peer = Peer(ours, 1, head())
        for number in range(1, 101):
            now = offer(number, range(300), contents["p000"].descriptor)
            peer.update({number: now}, number, contents)
        assert not peer.is_behind
        assert peer.told == {100}


def test_what_a_socket_does_not_take_now_is_told_later(
    contents: PartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stopped, it goes on there: nothing twice, nothing left out."""
    sent: list[dict[str, object]] = []
    room = [1]

    def send_now(_socket: object, message: dict[str, object], _descriptors: object = ()) -> bool:
        if not room[0]:
            return False
        room[0] -= 1
        sent.append(message)
        return True

    monkeypatch.setattr(peers_module, "send_now", send_now)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peer = Peer(ours, 1, head())
        document = contents["p000"].descriptor
        first, second = offer(1, range(100), document), offer(2, range(50, 101), document)
        steps = 0
        while not steps or peer.is_behind:
            peer.update({1: first}, 1, contents)
            room[0], steps = 1, steps + 1
        while peer.told != {2} or peer.is_behind:
            peer.update({2: second}, 2, contents)
            room[0] = 1
    assert [next(iter(message)) for message in sent] == [
        *("parts", "parts", "generation"),
        *("drop", "forget", "parts", "generation"),
    ]
    assert sent[4:6] == [{"forget": [f"p{k:03}" for k in range(50)]}, {"parts": ["p100"]}]


def test_a_worker_that_reads_again_in_time_is_told_what_it_missed(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """A short stall costs nobody anything."""
    good, stalled = FakeWorker(generations), FakeWorker(generations)
    stalled.fill()
    number = generations.prepare(made.document(alpha=entries[0]))

    def read() -> None:
        while number not in stalled.offered():
            pass

    steps = (lambda: good.attach(number), read, lambda: stalled.attach(number))
    assert wait(generations, number, *steps) == ""


def test_a_worker_that_joins_gets_more_than_its_socket_takes_at_once(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Only its own thread waits for that; one that dies meanwhile ends the wait."""
    serve(generations, made, entries[0])
    for is_dying in (False, True):
        ours, theirs = full_socket()
        with ThreadPoolExecutor(1) as pool, ours:
            joining = pool.submit(generations.join, ours, NO_PROCESS, head())
            eventually(lambda: generations._peers)
            assert generations.prepare(made.document(alpha=entries[0])) > 1
            assert not joining.done()
            if is_dying:
                theirs.close()
            else:
                read_until(theirs, "generation")
            peer = joining.result(timeout=30)
            assert peer.told == (set() if is_dying else {1, 2})
            generations.leave(peer)
            generations.abort(generations._last_number)
            theirs.close()


def full_socket() -> tuple[socket.socket, socket.socket]:
    """Return main's end and a worker's, which has so much unread that no more can be sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    while send_now(ours, {"filling": "x" * 4000}):
        pass
    return ours, theirs


def read_until(connection: socket.socket, name: str) -> None:
    """Read packets up to the first of this kind."""
    message: dict[str, Any] = {}
    while name not in message:
        message, descriptors = receive(connection)
        for descriptor in descriptors:
            os.close(descriptor)


def test_a_worker_that_never_reads_is_killed_at_its_deadline(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """It counts as late, and every other worker has the new generation meanwhile."""
    with sleeping_process() as child:
        good, hung = FakeWorker(generations), FakeWorker(generations, child.pid)
        hung.fill()
        number = generations.prepare(made.document(alpha=entries[0]))
        assert good.offered() == [number]
        good.attach(number)
        assert generations.await_workers(number, SHORT_SECONDS) == ""
        assert child.wait(timeout=30) == -signal.SIGKILL


def test_a_worker_that_is_gone_is_passed_over(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """Its broken socket is found out by the thread that reads it."""
    good, gone = FakeWorker(generations), FakeWorker(generations)
    gone._end.close()
    number = generations.prepare(made.document(alpha=entries[0]))
    assert gone.peer.told == set()
    assert wait(generations, number, lambda: good.attach(number), gone.end) == ""


def test_the_lowest_in_use_is_over_all_workers_that_use_any() -> None:
    """A worker without a long request says 0 and is passed over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peers = [Peer(ours, 1, head()) for _ in range(3)]
        assert lowest_in_use(peers, 9) == 9
        peers[1].head[Head.LOWEST_IN_USE] = 7
        peers[2].head[Head.LOWEST_IN_USE] = 5
        assert lowest_in_use(peers, 9) == 5
        assert lowest_in_use([], 9) == 9
