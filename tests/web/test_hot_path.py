"""What the hot path takes and what it leaves to Sanic, on a connection without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from offloader.web.spread import SpreadProtocol
from tests.web.raw_requests import (
    BODIES,
    KEY,
    ODD_METHODS,
    ODD_TARGETS,
    ODD_VERSIONS,
    PAGE,
    TARGET,
    head,
)
from tests.web.site import Site, is_quick, make_generation, site, talk
from tests.web.wire import Wire, rest

GENERATION = make_generation()
GOOD = head(TARGET + b"?limit=1", KEY)
TAKEN = {
    "a look-up": GOOD,
    "without a query": head(TARGET, KEY),
    "HEAD": head(TARGET, KEY, method=b"HEAD"),
    "known already": head(TARGET, KEY, b"If-None-Match: *"),
    "kept": head(b"/v1/endpoints/kept", KEY),
    "no key": head(TARGET),
    "no field at all": head(TARGET + b"?limit=1"),
    "unknown name": head(b"/v1/endpoints/absent", KEY),
    "no data": head(b"/v1/endpoints/cold", KEY),
    "bad param": head(TARGET + b"?limit=0", KEY),
    "no format": head(TARGET, KEY, b"Accept: image/png"),
    "a browser": head(
        TARGET, b"Host: h", b"Connection: Keep-Alive", b"Accept: */*", b"Cookie: a=b", KEY,
        b"Accept-Encoding: gzip", b"Origin: " + PAGE, b"Sec-Fetch-Mode: cors", b"User-Agent: x",
    ),
    "its own id": head(TARGET, KEY, b"X-Request-Id: a-1"),
}  # fmt: skip
LEFT = {
    "a pair": GOOD + GOOD,
    "the first half": GOOD[:30],
    "all but the last byte": GOOD[:-1],
    "one byte more": GOOD + b"G",
    "an empty line before": b"\r\n" + GOOD,
    "closing": head(TARGET, KEY, b"Connection: close"),
    "two connections": head(TARGET, KEY, b"Connection: close", b"Connection: keep-alive"),
    "two keys": head(TARGET, KEY, KEY),
    "two of anything": head(TARGET, KEY, b"Cookie: a", b"cookie: b"),
    "an upgrade": head(TARGET, KEY, b"Connection: upgrade", b"Upgrade: h2c"),
    "an unused upgrade": head(TARGET, KEY, b"Upgrade: websocket"),
    "an expectation": head(TARGET, KEY, b"Expect: 100-continue"),
    "no length": head(TARGET, KEY, b"Content-Length: 0"),
    "a folded field": head(TARGET, KEY, b"Accept: */*", b" a"),
    "other letters": head(TARGET, KEY, b"Cookie: \xe9"),
    "a long head": head(TARGET, KEY, b"Cookie: " + b"c" * 9000),
    "for the pool": head(b"/v1/endpoints/heavy", KEY),
    **{f"{method!r}": head(TARGET, KEY, method=method) for method in ODD_METHODS},
    **{f"{target[:40]!r}": head(target, KEY) for target in ODD_TARGETS},
    **{f"{version!r}": head(TARGET, KEY, version=version) for version in ODD_VERSIONS},
    **{f"{field!r} {body!r}": head(TARGET, KEY, field) + body for field, body in BODIES},
}


@pytest.fixture(autouse=True)
def one_heavy_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the queries of one endpoint leave the loop."""
    monkeypatch.setattr("offloader.web.hot_path.is_quick", is_quick)


def connected(
    steps: Callable[[Site, SpreadProtocol, Wire], Awaitable[None]],
    *,
    limit_bytes: int = 2**30,
    is_draining: bool = False,
) -> Site:
    """Run a test's steps on a connection with the hot path; return the site as they leave it."""

    async def run() -> None:
        protocol, wire = await made.open("on", limit_bytes)
        await steps(made, protocol, wire)
        wire.close()
        await rest(protocol)

    with site(GENERATION, is_draining=is_draining, ACCESS_LOG="all") as made:
        asyncio.run(run())
    return made


def answered(made: Site) -> int:
    """Return how many requests were counted."""
    return sum(counts[-1] for counts in made.counts()["rows"].values())


@pytest.mark.parametrize("what", TAKEN)
def test_it_answers_in_the_same_turn_of_the_loop(what: str) -> None:
    """With one write, before Sanic's task could wake, and nothing is left for that."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol._time = 0.0
        for count in (1, 2, 3):
            protocol.data_received(TAKEN[what])
            await asyncio.sleep(0)
            assert (wire.writes, bytes(protocol.recv_buffer)) == (count, b"")
            assert wire.take().startswith(b"HTTP/1.1 ")
            assert (protocol.state["requests_count"], answered(made)) == (count, count)
        assert protocol._time > 0.0  # the time-out of an idle connection begins anew
        await rest(protocol)
        assert (wire.writes, wire.is_closing()) == (3, False)

    assert len(connected(steps).lines) == 3


@pytest.mark.parametrize("what", LEFT)
def test_it_leaves_what_it_does_not_understand(what: str) -> None:
    """Nothing is written, counted or logged, and every byte is there for Sanic."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol.data_received(LEFT[what])
        assert (wire.writes, bytes(protocol.recv_buffer)) == (0, LEFT[what])
        assert (made.lines, answered(made)) == ([], 0)

    connected(steps)


def test_it_waits_its_turn() -> None:
    """While Sanic has a request of the connection, also half of one, the next one goes to it."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol.data_received(GOOD[:30])
        protocol.data_received(GOOD[30:] + GOOD)
        protocol.data_received(LEFT["for the pool"])
        assert wire.writes == 0
        protocol.data_received(GOOD)
        assert wire.writes == 0
        await rest(protocol)
        protocol.data_received(GOOD)
        await asyncio.sleep(0)
        assert wire.writes == answered(made) == 5
        assert [line["endpoint"] for line in made.lines] == ["usage", "usage", "heavy"] + 2 * [
            "usage"
        ]

    connected(steps)


def test_it_writes_nothing_more_to_a_caller_that_does_not_read() -> None:
    """What is not read yet holds up the next answer, as it does on Sanic's path."""

    async def steps(_made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol.data_received(GOOD)
        await asyncio.sleep(0)
        assert wire.writes == 1
        for _ in range(2):
            protocol.data_received(GOOD)
            await rest(protocol)
            assert wire.writes == 1
        wire.drain()
        await rest(protocol)
        assert wire.writes == 2
        wire.drain()
        await rest(protocol)
        assert wire.writes == 3

    connected(steps, limit_bytes=10)


def test_it_leaves_everything_to_a_drain() -> None:
    """An instance that stops closes behind each answer, which is Sanic's to do."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol.data_received(GOOD)
        assert wire.writes == 0
        await rest(protocol)
        assert (wire.is_closing(), answered(made)) == (True, 1)

    connected(steps, is_draining=True)


@pytest.mark.parametrize("what", ["app", "connection", "transport"])
def test_it_leaves_a_connection_that_is_about_to_close(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the app, Sanic's task or the transport says so."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        if what == "app":
            monkeypatch.setitem(made.app.config, "KEEP_ALIVE", False)
        elif what == "connection":
            protocol._http.keep_alive = False
        else:
            wire.close()
        protocol.data_received(GOOD)
        assert (wire.writes, answered(made)) == (0, 0)

    connected(steps)


def test_an_answer_goes_out_before_its_connection_is_closed() -> None:
    """A server that stops closes idle connections in the middle of a turn of the loop."""

    async def steps(_made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        protocol.data_received(GOOD)
        assert wire.writes == 0
        assert protocol.close_if_idle()
        assert (wire.writes, wire.is_closing()) == (1, True)

    connected(steps)


def test_who_has_gone_costs_nobody_else_an_answer() -> None:
    """Answers of one turn go out together; a connection that closed meanwhile is left out."""

    async def steps(made: Site, protocol: SpreadProtocol, wire: Wire) -> None:
        other, other_wire = await made.open("on")
        protocol.data_received(GOOD)
        other.data_received(GOOD)
        wire.close()
        await rest(other)
        assert (wire.writes, other_wire.writes, answered(made)) == (0, 1, 2)
        other_wire.close()
        await rest(other)

    connected(steps)


@pytest.mark.parametrize("path", ["on", "off"])
def test_an_error_that_nobody_foresaw_is_a_500(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on both paths: told without a word of what broke, counted, logged once."""

    def broken(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("offloader.web.hot_path.answer", broken)
    monkeypatch.setattr("offloader.web.api.answer", broken)
    with site(GENERATION) as made:
        [(written, is_closed), _] = talk(made, path, [(GOOD, None)])
    assert written.startswith(b"HTTP/1.1 500 Internal Server Error\r\nCache-Control: no-store\r\n")
    assert (b"secret" in written, is_closed) == (False, False)
    assert made.counts()["rows"][1][0] == {"500": 1}
    assert [line["event"] for line in made.lines] == ["request_broke", "request"]
