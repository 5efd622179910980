"""What the Sanic peers share: key check, tenant, envelope. Each brings its own way to ask.

A peer does by hand what the service does: it compares the bearer token, puts the tenant of the key
into the query, and wraps the rows into the same JSON body. It checks no types, no limits, and makes
no ETag.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import ujson
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json as json_reply
from sanic.response import raw

from dev.bench.serving.project import tokens
from dev.bench.serving.works import QUESTIONS, SNAPSHOT, Question

Rows = Sequence[Mapping[str, Any]]
Answer = Callable[[Question, list[str]], Awaitable[Rows]]
Handler = Callable[[Request[Any, Any]], Coroutine[Any, Any, HTTPResponse]]
_SCHEME = "Bearer "


def bare_app(name: str) -> Sanic[Any, Any]:
    """Return an app without what costs a server time: extensions, access log."""
    app = Sanic(name, configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.ACCESS_LOG = False
    return app


def add_routes(app: Sanic[Any, Any], answer: Answer, tables: Sequence[str]) -> None:
    """Add a route for each question that is about one of the tables."""
    known = tokens()
    for question in QUESTIONS.values():
        if question.table in tables:
            path = f"/v1/endpoints/{question.endpoint}"
            app.add_route(_handler(question, known, answer), path, name=question.endpoint)


def _handler(question: Question, known: Mapping[str, str | None], answer: Answer) -> Handler:
    async def handle(request: Request[Any, Any]) -> HTTPResponse:
        text = request.headers.get("authorization", "")
        token = text[len(_SCHEME) :] if text.startswith(_SCHEME) else ""
        if token not in known:
            return json_reply({"error": {"code": "unauthorized"}}, status=401)
        values = [request.args.get(name, "") for name in question.params]
        if question.is_tenants:
            values.insert(0, known[token] or "")
        rows = await answer(question, values)
        if question.raw:
            return raw(_spliced(question, rows), content_type="application/json")
        return json_reply({"data": rows, "meta": _meta(question, len(rows))})

    return handle


def _meta(question: Question, count: int) -> dict[str, Any]:
    return {
        "endpoint": question.endpoint,
        "version": 1,
        "snapshot_id": SNAPSHOT,
        "row_count": count,
        "limit": question.limit,
        "offset": 0,
        "next_offset": None,
        "serving_mode": "local_table",
        "freshness": {
            "watermark": "2026-06-01T00:00:00Z",
            "max_staleness_minutes": None,
            "stale": False,
        },
    }


def _spliced(question: Question, rows: Rows) -> bytes:
    """Return a body whose raw columns go in as the JSON text they are."""
    made = []
    for row in rows:
        cells = (
            f'"{name}":{value if name in question.raw else ujson.dumps(value)}'
            for name, value in row.items()
        )
        made.append("{" + ",".join(cells) + "}")
    meta = ujson.dumps(_meta(question, len(rows)))
    return f'{{"data":[{",".join(made)}],"meta":{meta}}}'.encode()


def peer_arguments() -> argparse.Namespace:
    """Parse what every peer is told: port, workers, where its data is, which tables it has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--tables", nargs="*", default=[])
    return parser.parse_args()


def run(app: Sanic[Any, Any], port: int, workers: int) -> None:
    """Serve until SIGTERM, with one worker in this process, with more under Sanic's manager."""
    Sanic.start_method = "fork"
    app.run(
        host="127.0.0.1",
        port=port,
        workers=workers,
        single_process=workers == 1,
        access_log=False,
        motd=False,
    )
