"""The API's app in this process, equipped with a worker that serves a small generation.

Both protocols are driven over it, so that what they write, count and log can be compared.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

from sanic import Sanic
from sanic.models.server_types import Signal

from offloader.catalog.model import Catalog, Key, Param
from offloader.service import log
from offloader.service.worker.answer import Query, Response
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.response_cache import ResponseCache
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Head, Slots
from offloader.web import api as api_routes
from offloader.web.apps import Setup, make_apps
from offloader.web.hot_path import HotProtocol
from offloader.web.spread import Spread, SpreadProtocol
from tests.query.serving import serve
from tests.settings.environments import read
from tests.web.wire import Wire, rest

NOW = 1_780_272_600.0  # ten minutes after the watermark of the rows
TOKEN = "test-token"
PROTOCOLS: dict[str, type[SpreadProtocol]] = {"on": HotProtocol, "off": SpreadProtocol}
ROWS = [(f"t{number % 2}", f"a{number % 5}", number) for number in range(40)]


@dataclass(slots=True, eq=False)
class Site:
    """The app with a worker behind it; `now` is what its clock says, `lines` what it logs."""

    app: Sanic[Any, Any]
    control: ControlBlock
    slots: Slots
    generation: Generation | None
    now: float = NOW
    lines: list[dict[str, Any]] = field(default_factory=list)

    def counts(self) -> dict[str, Any]:
        """Return all counters but the durations."""
        rows = {}
        for row in range(6):
            counts = self.slots.totals(row)
            total = list(counts.buckets())[-1][1]
            shown = (dict(counts.statuses()), counts.rows_scanned, dict(counts.cache_results()))
            rows[row] = (*shown, total)
        return {"rows": rows, "in_flight": self.slots.head(0)[Head.IN_FLIGHT]}

    async def open(self, path: str, limit_bytes: int = 2**30) -> tuple[SpreadProtocol, Wire]:
        """Open a connection with the hot path `on` or `off`."""
        loop = asyncio.get_running_loop()
        protocol = PROTOCOLS[path](loop=loop, app=self.app, connections=set(), signal=Signal())
        wire = Wire(protocol, limit_bytes)
        protocol.connection_made(wire)
        await rest(protocol)
        return protocol, wire


def talk(
    site: Site, path: str, pieces: Sequence[tuple[bytes, int | None]]
) -> list[tuple[bytes, bool]]:
    """Send pieces over one connection, each with the turns of the loop until the next one.

    Return, for each time the connection rested (None turns, and the end), what was written since
    the last time, and whether it is closed.
    """

    async def run() -> list[tuple[bytes, bool]]:
        protocol, wire = await site.open(path)
        told = []
        for piece, turns in [*pieces, (b"", None)]:
            if piece and not wire.is_closing():
                protocol.data_received(piece)
            for _ in range(turns or 0):
                await asyncio.sleep(0)
            if turns is None:
                await rest(protocol)
                told.append((wire.take(), wire.is_closing()))
        wire.close()
        await rest(protocol)
        return told

    return asyncio.run(run())


def shown(text: bytes) -> bytes:
    """Return an answer without its generated request id."""
    return re.sub(rb'(X-Request-Id: |"request_id":")[0-9a-f]{32}', rb"\1ID", text)


def make_generation(
    number: int = 1,
    *,
    is_public: bool = False,
    is_key_active: bool = True,
    rows: Sequence[tuple[str, str, int]] = ROWS,
) -> Generation:
    """Return one with five endpoints on two tenants' rows.

    The key expires a minute after NOW. Bodies of `kept` are kept, `heavy` is for the pool, `cold`
    has no data, `hidden` is not granted.
    """
    params = (Param("account", "string"), Param("least", "integer", min=0, max=100))
    plan = serve(
        "tenant VARCHAR, account VARCHAR, calls BIGINT",
        rows,
        where=[("account", "eq", params[0]), ("calls", "gte", params[1])],
        tenant=None if is_public else "tenant",
        max_staleness_minutes=60.0,
    ).plan
    names = ("usage", "kept", "heavy", "cold", "hidden")
    endpoints = {name: replace(plan.endpoint, name=name) for name in names}
    endpoints["kept"] = replace(endpoints["kept"], cache_policy="snapshot")
    plans = {name: replace(plan, endpoint=endpoint) for name, endpoint in endpoints.items()}
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    granted = frozenset({"usage", "kept", "heavy", "cold"})
    key = Key("k", digest, "t0", granted, is_key_active, NOW + 60)
    return Generation(
        number=number,
        catalog=Catalog(not is_public, {"usage": plan.dataset}, endpoints, (key,)),
        endpoints={
            name: Served(endpoint, None if name == "cold" else plans[name])
            for name, endpoint in endpoints.items()
        },
        keys={digest: key},
        snapshots={},
        segment_bytes={},
        rows={name: row for row, name in enumerate(names, start=1)},
    )


def is_quick(query: Query) -> bool:
    """Tell what is answered on the loop here: everything but `heavy`."""
    return query.plan.endpoint.name != "heavy"


@contextmanager
def site(
    generation: Generation | None, *, is_draining: bool = False, **environ: str
) -> Iterator[Site]:
    """Equip the app with a worker that serves a generation at NOW; variables as `read` takes."""
    app = _app()
    control, slots = ControlBlock(), Slots(1)
    control[Word.GENERATION] = 1
    control[Word.IS_DRAINING] = int(is_draining)
    made = Site(app, control, slots, generation)
    attachment = SimpleNamespace(control=control, slots=slots, generation=lambda: made.generation)
    worker = SimpleNamespace(
        settings=read(**environ),
        attachment=attachment,
        head=slots.head(0),
        counters=slots.counters(0),
        cache=ResponseCache(2**20),
        is_draining=is_draining,
        finish=_finish,
    )
    app.ctx.spread = Spread(0, slots, (), lambda: is_draining)
    api_routes.equip(app.ctx, worker, lambda: made.now)  # type: ignore[arg-type]
    with _kept_lines(made.lines):
        yield made
        app.ctx.record.flush()  # else it would be written ten seconds later, into another's lines
    control.close()
    slots.close()


async def _finish(_generation: Generation, query: Query) -> Response:
    if not is_quick(query):
        await asyncio.sleep(0)  # as if a thread did it
    return query.finish()


@contextmanager
def _kept_lines(lines: list[dict[str, Any]]) -> Iterator[None]:
    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append({"event": record.getMessage(), **getattr(record, "fields", {})})

    handler, level = Keep(), log.LOGGER.level
    log.LOGGER.addHandler(handler)
    log.LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.LOGGER.removeHandler(handler)
        log.LOGGER.setLevel(level)


@cache
def _app() -> Sanic[Any, Any]:
    """Make the service's own app, once: a start alters the server's code, as in the service."""
    handlers = logging.getLogger().handlers[:]
    app = make_apps(Setup(read(), ""))
    app.prepare(port=1, motd=False)  # what it knows of its server decides how it is altered
    asyncio.run(app._startup())  # type: ignore[no-untyped-call]
    logging.getLogger().handlers[:] = handlers
    return app
