"""Make what a run needs: snapshots, project, requests, and one answer for each endpoint."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.bench.serving import snapshots
from dev.bench.serving.asking import (
    Ask,
    asks_of,
    http_request,
    roapi_request,
    target_of,
    write_requests,
)
from dev.bench.serving.project import token_of, write_project
from dev.bench.serving.subjects import Run, Subject
from dev.bench.serving.works import QUESTIONS, WORKS, Question, Work

_Answer = tuple[int, Mapping[str, str], bytes]


def make_run(folder: Path, rows: int) -> Run:
    """Publish the snapshots and write the project; what a folder has already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL's user reads its own folder below
    made = folder / "made.json"
    if not made.exists():
        tables = snapshots.publish_all(folder / "snapshots", rows)
        run = Run(folder, tables)
        write_project(run.project, run.snapshots, tables)
        made.write_text(json.dumps({"tables": tables, "rows": rows}))
    known = json.loads(made.read_text())
    if known["rows"] != rows:
        raise SystemExit(f"{folder} holds {known['rows']} rows: name another folder")
    return Run(folder, tuple(known["tables"]))


def works_of(run: Run) -> list[Work]:
    """Return the works whose dataset there is."""
    return [work for work in WORKS.values() if work.question.table in run.tables]


def make_requests(run: Run, address: str) -> None:
    """Write the requests of every work, with tags that the service at `address` gave."""
    (run.folder / "requests").mkdir(exist_ok=True)
    for work in works_of(run):
        question = work.question
        asks = asks_of(question, run.snapshots)
        make = _with_tags if work.is_conditional else _plain
        write_requests(_path(run, work, is_roapi=False), make(address, question, asks))
        asked = [roapi_request(question, ask) for ask in asks]
        write_requests(_path(run, work, is_roapi=True), asked)


def requests_of(run: Run, work: Work, subject: Subject) -> Path:
    """Return the file of a work's requests, in the words of a subject."""
    return _path(run, work, is_roapi=subject.is_roapi)


def make_bodies(run: Run, address: str) -> None:
    """Store the service's first answer of each endpoint, for those who send fixed bytes."""
    folder = run.bodies / "v1" / "endpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for name, question in QUESTIONS.items():
        if question.table in run.tables:
            ask = asks_of(question, run.snapshots, 1)[0]
            (folder / name).write_bytes(_get(address, question, ask)[2])


def rows_of(address: str, question: Question, ask: Ask) -> list[dict[str, Any]]:
    """Return the rows that a subject answers; raises RuntimeError when it does not."""
    status, _, body = _get(address, question, ask)
    if status != 200:
        raise RuntimeError(f"{address}{target_of(question, ask)} answered {status}: {body[:200]!r}")
    rows: list[dict[str, Any]] = json.loads(body)["data"]
    return rows


def _path(run: Run, work: Work, *, is_roapi: bool) -> Path:
    return run.folder / "requests" / f"{work.name}{'-roapi' if is_roapi else ''}.http"


def _plain(_: str, question: Question, asks: Sequence[Ask]) -> list[bytes]:
    return [http_request(target_of(question, ask), ask.tenant) for ask in asks]


def _with_tags(address: str, question: Question, asks: Sequence[Ask]) -> list[bytes]:
    connection = http.client.HTTPConnection(address, timeout=60)
    requests = []
    for ask in asks:
        tag = _get(address, question, ask, connection)[1]["ETag"]
        headers = [("If-None-Match", tag)]
        requests.append(http_request(target_of(question, ask), ask.tenant, headers=headers))
    connection.close()
    return requests


def _get(
    address: str,
    question: Question,
    ask: Ask,
    connection: http.client.HTTPConnection | None = None,
) -> _Answer:
    asked = connection or http.client.HTTPConnection(address, timeout=60)
    asked.request(
        "GET",
        target_of(question, ask),
        headers={"Authorization": f"Bearer {token_of(ask.tenant)}"},
    )
    reply = asked.getresponse()
    answer = reply.status, dict(reply.getheaders()), reply.read()
    if connection is None:
        asked.close()
    return answer
