"""Ask the reloader to carry out an operator's action, without holding up the event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Any

from offloader.errors import RequestError
from offloader.service.action_packets import TAKEN, actions_address, read_result, request_packet
from offloader.service.actions import Action, Result
from offloader.shared.attach import is_sibling, receive, send

TAKEN_SECONDS = 5.0
RETRY_SECONDS = 5
PENDING = Result("pending", "it goes on: /diagnostics shows what comes of it")


async def ask_reloader(address: str, action: Action, wait_seconds: float) -> Result:
    """Return what came of an action; `pending` when that takes longer than `wait_seconds`.

    `address` is main's attach address. Raises RequestError 503 `reloader_away` when the reloader
    does not take the action, or ends before it answers.
    """
    deadline = time.monotonic() + wait_seconds
    with _connected(address) as connection:
        await _hand_over(connection, action, wait_seconds)
        try:
            packet = await _packet(connection, deadline - time.monotonic())
            return PENDING if packet is None else read_result(packet)
        except (OSError, EOFError, ValueError) as error:
            message = "the reloader ended meanwhile; /diagnostics shows whether it was done"
            raise _away(message) from error


def _connected(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        connection.connect(f"\0{actions_address(address)}")
    except OSError as error:  # nobody listens, or so many wait that it would block
        connection.close()
        raise _away("the reloader is not up") from error
    if not is_sibling(connection):
        connection.close()
        raise _away("another process has taken the reloader's place")
    return connection


async def _hand_over(connection: socket.socket, action: Action, wait_seconds: float) -> None:
    """Return once the reloader has taken an action; when this raises, nothing comes of it."""
    try:
        send(connection, request_packet(action, wait_seconds))
        answer = await _packet(connection, TAKEN_SECONDS)
    except (OSError, EOFError) as error:
        raise _away("the reloader is not up, or too many actions wait already") from error
    if answer != TAKEN:
        raise _away("the reloader does not answer")


async def _packet(connection: socket.socket, seconds: float) -> dict[str, Any] | None:
    """Return the next packet, None when it does not come in time; raises what `receive` does."""
    is_here = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(connection, is_here.set)
    try:
        await asyncio.wait_for(is_here.wait(), max(0.0, seconds))
    except TimeoutError:
        return None
    finally:
        loop.remove_reader(connection)
    packet, descriptors = receive(connection)
    for descriptor in descriptors:
        os.close(descriptor)
    return packet


def _away(message: str) -> RequestError:
    retry = (("Retry-After", str(RETRY_SECONDS)),)
    return RequestError(
        503, "not_ready", "reloader_away", f"{message}: try again soon", headers=retry
    )
