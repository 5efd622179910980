"""The load counts what it loses: against a server that does as it is told."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from dev.rollout.answers import QUESTIONS, Answers
from dev.rollout.load import MOST_CONNECTIONS, MOST_PER_SECOND, Load, loading
from tests.service_process import wait_until

BODY = b'{"meta":{"version":1}}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "%%s"\r\n\r\n%s' % (len(BODY), BODY)
_CONDITION = re.compile(rb"\r\nIf-None-Match: (.+)\r\n")
Act = Callable[[socket.socket, int], bool]


@contextmanager
def server(act: Act) -> Iterator[tuple[str, int]]:
    """Serve one connection at a time; `act` gets each request's number and tells whether to go on.

    The number counts over all connections. What is sent with an ETag is answered 304.
    """
    numbers = iter(range(10**6))

    def act_on(client: socket.socket, request: bytes) -> bool:
        number, known = next(numbers), _CONDITION.search(request)
        if known:
            client.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n" % known[1])
        return bool(known) or act(client, number)

    def serve() -> None:
        with suppress(OSError):
            while True:
                with listening.accept()[0] as client:
                    while (request := client.recv(65536)) and act_on(client, request):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


def answer(client: socket.socket, number: int) -> bool:
    """Answer as the right endpoint does."""
    client.sendall(ANSWER % str(number % len(QUESTIONS)).encode())
    return True


def asked(act: Act, requests: int) -> Load:
    """Ask so often over one connection; return the load, stopped."""
    bodies = dict.fromkeys(QUESTIONS, b'{"meta":{"version":0}}')
    with server(act) as address:
        load = Load(address, Answers(bodies, {1}), 1, 500.0)
        with loading(load):
            wait_until(lambda: load.tally.total >= requests, 60.0, lambda: load.tally)
    return load


def test_right_answers_are_counted() -> None:
    """None failed, none was asked twice, each was timed."""
    tally = asked(answer, 60).tally
    assert (tally.failed, tally.reconnects, dict(tally.problems)) == (0, 0, {})
    assert len(tally.times_ms["quiet"]) == tally.right


def test_a_request_without_an_answer_is_lost() -> None:
    """The server ends a connection with a request on it: one failed, and is not sent again."""
    tally = asked(lambda client, number: number != 3 and answer(client, number), 10).tally
    assert (tally.failed, dict(tally.problems)) == (1, {"no answer: IncompleteReadError": 1})


def test_half_an_answer_is_lost() -> None:
    """What comes of it does not count."""

    def act(client: socket.socket, number: int) -> bool:
        if number == 3:
            client.sendall((ANSWER % b"3")[:-1])
            return False
        return answer(client, number)

    tally = asked(act, 10).tally
    assert (tally.failed, dict(tally.problems)) == (1, {"no answer: IncompleteReadError": 1})


def test_an_idle_connection_that_ends_is_no_failure() -> None:
    """Nothing was sent on it: the next request opens another."""

    def act(client: socket.socket, number: int) -> bool:
        if number != 3:
            return answer(client, number)
        # In one segment with its end: nothing can be sent in between.
        client.send(ANSWER % b"3", socket.MSG_MORE)
        client.shutdown(socket.SHUT_WR)
        return False

    tally = asked(act, 10).tally
    assert (tally.failed, tally.reconnects) == (0, 1)


@pytest.mark.parametrize(
    ("connections", "per_second"),
    [(0, 1.0), (MOST_CONNECTIONS + 1, 1.0), (1, 0.0), (1, MOST_PER_SECOND + 1)],
)
def test_the_load_is_bounded(connections: int, per_second: float) -> None:
    """More than the limits, or nothing, is refused."""
    with pytest.raises(ValueError, match="at most 64 connections, 2000 a second"):
        Load(("127.0.0.1", 1), Answers({}, set()), connections, per_second)
