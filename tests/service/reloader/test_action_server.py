"""Where the reloader hears actions: who is heard, what is understood, and who is let wait."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import pytest

from offloader.service.action_packets import (
    actions_address,
    read_request,
    read_result,
    request_packet,
)
from offloader.service.actions import Action, Result
from offloader.service.reloader import action_server
from offloader.service.reloader.action_server import MOST_AT_ONCE, ActionServer
from offloader.shared.attach import connect, receive, send
from tests.service_process import wait_until

ACTION = Action("pin", "usage", "0123456789ab", snapshot_id="s0001", reason="why", accept=True)
REQUEST = request_packet(ACTION, 30)
RESULT = Result("done", "pinned", "", "", "s0002", "s0001", 7)
SECONDS = 30.0


class Reloader:
    """Takes actions, and answers them when the test says so."""

    def __init__(self) -> None:
        self.address = f"offloader-test-{secrets.token_hex(8)}"
        self.asked: list[tuple[Action, Future[Result]]] = []
        self.server = ActionServer(self.address, self.submit)

    def submit(self, action: Action) -> Future[Result]:
        """Note an action."""
        future: Future[Result] = Future()
        self.asked.append((action, future))
        return future

    def call(self) -> socket.socket:
        """Return a connection of a caller that waits for its answers as long as a test may."""
        connection = connect(actions_address(self.address))
        connection.settimeout(SECONDS)
        return connection

    def ask(self, action: Action = ACTION, wait_seconds: float = 30.0) -> socket.socket:
        """Return the connection of a caller whose action was taken."""
        heard = len(self.asked) + 1
        connection = self.call()
        send(connection, request_packet(action, wait_seconds))
        assert packet(connection) == {"taken": True}
        wait_until(lambda: len(self.asked) == heard, SECONDS, lambda: self.asked)
        return connection


def packet(connection: socket.socket) -> dict[str, Any]:
    """Return the next packet; raises EOFError when there is none."""
    return receive(connection)[0]


def is_hung_up(connection: socket.socket) -> bool:
    """Tell whether the server ends a connection without a word."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def callers() -> list[threading.Thread]:
    """Return the threads that serve callers."""
    return [one for one in threading.enumerate() if one.name == "actions-caller"]


@pytest.fixture
def reloader() -> Iterator[Reloader]:
    made = Reloader()
    made.server.start()
    yield made
    made.server.close()
    for _, future in made.asked:
        future.cancel()
    wait_until(lambda: not callers(), SECONDS, callers)


def test_an_action_and_its_result_cross_the_socket(reloader: Reloader) -> None:
    """Every field of both is what the other end gets; then the connection ends."""
    with reloader.ask() as caller:
        ((heard, future),) = reloader.asked
        assert heard == ACTION
        future.set_result(RESULT)
        assert read_result(packet(caller)) == RESULT
        assert is_hung_up(caller)


def test_callers_wait_side_by_side(reloader: Reloader) -> None:
    """A slow action delays no other one."""
    with reloader.ask() as slow, reloader.ask() as quick:
        reloader.asked[1][1].set_result(RESULT)
        assert read_result(packet(quick)) == RESULT
        reloader.asked[0][1].set_result(Result("refused", "no", code="pinned"))
        assert read_result(packet(slow)) == Result("refused", "no", code="pinned")


def test_what_breaks_is_a_failure_with_a_code(reloader: Reloader) -> None:
    """An exception of the reloader, and an action it gives up, reach the caller as a result."""
    with reloader.ask() as caller:
        reloader.asked[0][1].set_exception(RuntimeError("no luck"))
        assert read_result(packet(caller)) == Result(
            "failed", "RuntimeError: no luck", "internal", "see the log of the reloader"
        )
    with reloader.ask() as caller:
        reloader.asked[1][1].cancel()
        assert read_result(packet(caller)).code == "internal"


def test_a_submit_that_raises_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is told, and the next one is heard."""
    made = Reloader()
    monkeypatch.setattr(made.server, "_submit", lambda _action: 1 // 0)
    made.server.start()
    with closing(made.server):
        for _ in range(2):
            with made.call() as caller:
                send(caller, REQUEST)
                assert packet(caller) == {"taken": True}
                assert read_result(packet(caller)).message.startswith("ZeroDivisionError")


@pytest.mark.parametrize("sent", [b"[]", b"{", b"[" * 5000, b'{"action":1,"wait_seconds":1}'])
def test_a_malformed_packet_ends_the_connection(reloader: Reloader, sent: bytes) -> None:
    """Nothing is done, nothing is said, and the next caller is heard."""
    with reloader.call() as caller:
        caller.send(sent)
        assert is_hung_up(caller)
    with reloader.ask():
        assert [action for action, _ in reloader.asked] == [ACTION]


def test_descriptors_that_come_along_are_closed(reloader: Reloader) -> None:
    """The other end of a pipe that was sent sees the last copy go."""
    ours, theirs = socket.socketpair()
    with reloader.call() as caller, ours:
        send(caller, REQUEST, [theirs.fileno()])
        theirs.close()
        ours.settimeout(SECONDS)
        assert ours.recv(1) == b""
        assert packet(caller) == {"taken": True}


def test_no_more_than_16_wait_at_once(reloader: Reloader) -> None:
    """The next is hung up on at once; there is room again when one of them hangs up."""
    waiting = [reloader.ask() for _ in range(MOST_AT_ONCE)]
    assert MOST_AT_ONCE == 16
    with reloader.call() as refused:
        assert is_hung_up(refused)
    assert len(reloader.asked) == MOST_AT_ONCE
    waiting.pop().close()

    def is_let_in() -> bool:
        with reloader.call() as caller:
            try:
                send(caller, REQUEST)
                return packet(caller) == {"taken": True}
            except (OSError, EOFError):
                return False

    wait_until(is_let_in, SECONDS, lambda: "no room after a caller hung up")
    for caller in waiting:
        caller.close()


def test_a_caller_that_hangs_up_holds_nothing(reloader: Reloader) -> None:
    """Its thread ends although the action goes on."""
    with reloader.ask():
        assert len(callers()) == 1
    wait_until(lambda: not callers(), SECONDS, callers)
    assert not reloader.asked[0][1].done()


def test_a_caller_that_hangs_has_a_deadline(
    reloader: Reloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says nothing, and one that waits longer than it said, are hung up on."""
    with reloader.call() as hanging:
        wait_until(callers, SECONDS, threading.enumerate)  # its packet may take long still
        monkeypatch.setattr(action_server, "PACKET_SECONDS", 0.05)
        send(hanging, request_packet(ACTION, 0.05))
        assert packet(hanging) == {"taken": True}
        assert is_hung_up(hanging)
    with reloader.call() as silent:
        assert is_hung_up(silent)
    assert len(reloader.asked) == 1


def test_a_caller_that_has_gone_already_is_not_obeyed(
    reloader: Reloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told that nobody had heard it, so its action must not happen after all."""
    has_gone = threading.Event()

    def read_late(packet: Any) -> tuple[Action, float]:
        assert has_gone.wait(SECONDS)
        return read_request(packet)

    monkeypatch.setattr(action_server, "read_request", read_late)
    with reloader.call() as caller:
        send(caller, REQUEST)
        wait_until(callers, SECONDS, threading.enumerate)
    has_gone.set()
    wait_until(lambda: not callers(), SECONDS, callers)
    assert reloader.asked == []


def test_only_children_of_the_same_main_are_heard(reloader: Reloader) -> None:
    """A process of the same user that another one started gets no answer."""
    code = (
        "import sys; from offloader.shared.attach import connect, send; import socket\n"
        "c = connect(sys.argv[1]); c.settimeout(10)\n"
        "try: print(c.recv(100))\n"
        "except ConnectionResetError: print(b'')\n"
    )
    command = [sys.executable, "-c", code, actions_address(reloader.address)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert done.stdout == b"b''\n"
    assert reloader.asked == []


def test_another_user_is_not_heard(reloader: Reloader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is a child of the same main."""
    monkeypatch.setattr("offloader.shared.attach.os.getuid", lambda: -1)
    with reloader.call() as caller:
        assert is_hung_up(caller)


def test_a_taken_address_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server logs that it is not heard, and is once the address is free."""
    monkeypatch.setattr(action_server, "PACKET_SECONDS", 0.05)
    made = Reloader()
    other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other, closing(made.server):
        other.bind(f"\0{actions_address(made.address)}")
        made.server.start()
        assert "actions_not_heard" in caplog.messages
        other.close()
        wait_until(lambda: made.server._server, SECONDS, lambda: caplog.messages)
        monkeypatch.undo()  # so that a caller has the time to say something
        with made.ask():
            pass


def test_a_closed_server_hears_nobody(reloader: Reloader) -> None:
    """A caller is refused at once."""
    reloader.server.close()
    with pytest.raises(ConnectionRefusedError):
        reloader.call()
