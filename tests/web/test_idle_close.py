"""At the end of a drain idle connections are closed: those on which no request has arrived."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.web.raw_requests import KEY, TARGET, head
from tests.web.site import PROTOCOLS, Site, make_generation, site
from tests.web.wire import rest

REQUEST = head(TARGET + b"?limit=1", KEY)
PATHS = sorted(PROTOCOLS)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_nobody_has_begun_is_answered(path: str) -> None:
    """Its bytes were read, its task has not run: the connection stays for the answer, no longer."""

    async def run(served: Site) -> None:
        protocol, wire = await served.open(path)
        protocol.data_received(REQUEST)
        assert not protocol.close_if_idle()
        await rest(protocol)
        answer = wire.take()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in answer.lower()
        assert wire.is_closing()

    _serve(run)


@pytest.mark.parametrize("path", PATHS)
def test_a_connection_without_a_request_is_closed(path: str) -> None:
    """Nothing has arrived: it ends at once."""

    async def run(served: Site) -> None:
        protocol, wire = await served.open(path)
        assert protocol.close_if_idle()
        assert wire.is_closing()
        await rest(protocol)

    _serve(run)


@pytest.mark.parametrize("sent", [REQUEST, b""])
def test_what_lies_in_the_socket_counts(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the loop has not read yet are a request, too; with nothing there it is idle."""

    async def run(served: Site) -> None:
        protocol, wire = await served.open("on")
        caller, own = socket.socketpair()
        with caller, own:
            monkeypatch.setattr(wire, "get_extra_info", lambda _name: own)
            caller.sendall(sent)
            assert protocol.close_if_idle() == (not sent)
        wire.close()
        await rest(protocol)

    _serve(run)


def _serve(test: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
    with site(make_generation(), is_draining=True) as served:
        asyncio.run(test(served))
