"""Where the reloader hears what operators ask for: one thread for each that waits."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress

from offloader.service import log
from offloader.service.action_packets import (
    TAKEN,
    actions_address,
    read_request,
    result_packet,
)
from offloader.service.actions import Action, Result
from offloader.shared.attach import is_sibling, receive, send

MOST_AT_ONCE = 16
PACKET_SECONDS = 5.0  # one packet, there or back
_PAUSE_SECONDS = 0.25


class ActionServer:
    """Passes actions on to `submit` and carries the results back.

    `address` is main's attach address. Only children of the same main are heard. A caller that
    hangs up is forgotten; what it asked for goes on.
    """

    def __init__(self, address: str, submit: Callable[[Action], Future[Result]]) -> None:
        self._address = actions_address(address)
        self._submit = submit
        self._room = threading.Semaphore(MOST_AT_ONCE)
        self._is_closed = threading.Event()
        self._server: socket.socket | None = None

    def start(self) -> None:
        """Hear callers from now on, in daemon threads; never raises."""
        self._listen()
        threading.Thread(target=self._accept, name="actions", daemon=True).start()

    def close(self) -> None:
        """Hear no more callers; those that wait go on waiting."""
        self._is_closed.set()
        if self._server is not None:
            with suppress(OSError):  # closed before
                self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._server.close()

    def _listen(self) -> None:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            server.bind(f"\0{self._address}")
            server.listen(MOST_AT_ONCE)
        except OSError as error:
            server.close()
            log.error("actions_not_heard", reason=str(error), hint="tried again until it works")
        else:
            self._server = server

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            if self._server is None:
                self._is_closed.wait(PACKET_SECONDS)
                self._listen()
                continue
            try:
                connection, _ = self._server.accept()
            except OSError:
                self._is_closed.wait(_PAUSE_SECONDS)  # out of descriptors, most likely
                continue
            self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        """Give a caller a thread; hang up when there is none, or on a stranger."""
        if not is_sibling(connection) or not self._room.acquire(blocking=False):
            connection.close()
            return
        connection.settimeout(PACKET_SECONDS)
        name = "actions-caller"
        threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        except (OSError, EOFError, ValueError, RecursionError) as error:
            log.warning("action_not_heard", reason=str(error))
        finally:
            self._room.release()

    def _answer(self, connection: socket.socket) -> None:
        packet, descriptors = receive(connection)
        for descriptor in descriptors:
            os.close(descriptor)
        action, wait_seconds = read_request(packet)
        if _is_over(connection):  # told that nobody heard it, so it must not happen
            return
        send(connection, TAKEN)
        deadline = time.monotonic() + wait_seconds + PACKET_SECONDS
        future = self._submitted(action)
        while not future.done():
            wait([future], timeout=_PAUSE_SECONDS)
            if _is_over(connection) or time.monotonic() > deadline:
                return
        with suppress(OSError):  # it hung up a moment ago
            send(connection, result_packet(_result(future)))

    def _submitted(self, action: Action) -> Future[Result]:
        try:
            return self._submit(action)
        except Exception as error:  # whatever it is, the caller must hear of it
            broken: Future[Result] = Future()
            broken.set_exception(error)
            return broken


def _is_over(connection: socket.socket) -> bool:
    """Tell whether the caller has hung up, or says what it has no reason to say."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except Exception as error:
        log.broke("action_broke", error)
        reason = f"{type(error).__name__}: {error}"
        return Result("failed", reason, code="internal", hint="see the log of the reloader")
