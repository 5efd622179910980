"""Asking the reloader: what is answered, how long is waited, and what a caller is told instead."""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any

import pytest

from offloader.errors import RequestError
from offloader.service.action_packets import actions_address, result_packet
from offloader.service.actions import Action, Result
from offloader.service.reloader.action_server import ActionServer
from offloader.service.worker import action_client
from offloader.service.worker.action_client import ask_reloader
from offloader.shared.attach import receive, send
from tests.service_process import wait_until

ACTION = Action("rollback", "usage", "0123456789ab", reason="wrong numbers")
RESULT = Result("refused", "there is no previous snapshot", "no_previous", "pin one", "s1", "s1", 3)
Serve = Callable[[socket.socket], None]


def ask(address: str, wait_seconds: float = 10.0) -> Result:
    """Ask as a route does."""
    return asyncio.run(ask_reloader(address, ACTION, wait_seconds))


def refusal(address: str, wait_seconds: float = 10.0) -> RequestError:
    """Return what the caller is told instead of a result."""
    with pytest.raises(RequestError) as raised:
        ask(address, wait_seconds)
    error = raised.value
    assert (error.status, error.family, error.code) == (503, "not_ready", "reloader_away")
    assert error.headers == (("Retry-After", "5"),)
    return error


@pytest.fixture
def address() -> str:
    """An address at which nobody listens yet."""
    return f"offloader-test-{secrets.token_hex(8)}"


@contextmanager
def reloader(address: str, answer: Future[Result]) -> Iterator[list[Action]]:
    """Run the real server; it answers everything alike."""
    asked: list[Action] = []

    def submit(action: Action) -> Future[Result]:
        asked.append(action)
        return answer

    with closing(ActionServer(address, submit)) as server:
        server.start()
        yield asked
    if not answer.done():
        answer.cancel()


@contextmanager
def listener(address: str, serve: Serve | None = None) -> Iterator[None]:
    """Listen in the reloader's place; `serve` gets the first connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(f"\0{actions_address(address)}")
        server.listen(1)

        def serve_first() -> None:
            connection, _ = server.accept()
            with connection:
                assert serve is not None
                serve(connection)

        thread = Thread(target=serve_first)
        if serve is not None:
            thread.start()
        yield
        if serve is not None:
            thread.join()


def test_the_answer_is_the_result(address: str) -> None:
    """The action arrives as it is, and so does what came of it."""
    answer: Future[Result] = Future()
    answer.set_result(RESULT)
    with reloader(address, answer) as asked:
        assert ask(address) == RESULT
    assert asked == [ACTION]


@pytest.mark.parametrize("wait_seconds", [0.0, 0.05])
def test_what_takes_longer_is_pending(address: str, wait_seconds: float) -> None:
    """The wait ends, the action has begun, and the message says where to look."""
    with reloader(address, Future()) as asked:
        began = time.monotonic()
        result = ask(address, wait_seconds)
        assert time.monotonic() - began < 5.0
        assert (result.outcome, result.code) == ("pending", "")
        assert "/diagnostics" in result.message
        wait_until(lambda: asked == [ACTION], 10.0, lambda: asked)


def test_the_event_loop_goes_on_while_one_waits(address: str) -> None:
    """Another coroutine gets its turns."""
    answer: Future[Result] = Future()

    async def both() -> Result:
        asking = asyncio.ensure_future(ask_reloader(address, ACTION, 10.0))
        while not asked:
            await asyncio.sleep(0)
        answer.set_result(RESULT)
        return await asking

    with reloader(address, answer) as asked:
        assert asyncio.run(both()) == RESULT


def test_nobody_listens(address: str) -> None:
    """The reloader is starting, or was killed."""
    assert "not up" in refusal(address).message


def test_a_reloader_that_hangs_delays_nobody(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not take the action in time, and one whose callers queue up already."""
    monkeypatch.setattr(action_client, "TAKEN_SECONDS", 0.05)
    with listener(address):
        callers = []
        for _ in range(3):
            caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            caller.setblocking(False)
            callers.append(caller)
        assert "does not answer" in refusal(address).message
        full = [caller.connect_ex(f"\0{actions_address(address)}") for caller in callers]
        assert full[-1] != 0
        assert "not up" in refusal(address).message
        for caller in callers:
            caller.close()


def test_one_that_hangs_up_has_not_taken_it(address: str) -> None:
    """So many wait already that there is no room."""
    with listener(address, lambda _connection: None):
        assert "too many actions" in refusal(address).message


def take(connection: socket.socket, *packets: Any) -> None:
    """Take an action, then say something else."""
    receive(connection)
    send(connection, {"taken": True})
    for packet in packets:
        send(connection, packet)


@pytest.mark.parametrize("packets", [(), ({"nonsense": 1},), ({"result": {}},), ([],)])
def test_one_that_ends_meanwhile(address: str, packets: tuple[Any, ...]) -> None:
    """Nobody knows what came of the action: the message says where to look."""
    with listener(address, lambda connection: take(connection, *packets)):
        assert "/diagnostics shows whether it was done" in refusal(address).message


def test_another_process_in_its_place_hears_nothing(address: str) -> None:
    """Not being a child of the same main, it gets no packet."""
    code = (
        "import socket, sys\n"
        "server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "server.bind(chr(0) + sys.argv[1]); server.listen()\n"
        "print('up', flush=True)\n"
        "print(server.accept()[0].recv(100), flush=True)\n"
    )
    command = [sys.executable, "-c", code, actions_address(address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"up\n"
        assert "another process" in refusal(address).message
        assert other.stdout.readline() == b"b''\n"


def test_a_sibling_of_the_same_user_is_let_in(address: str) -> None:
    """What the kernel says of both ends is what counts: here the same process."""
    with listener(address, lambda connection: take(connection, result_packet(RESULT))):
        assert ask(address) == RESULT
