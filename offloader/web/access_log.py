"""The record of every answered request: its counters, and its line in the access log.

A line holds neither the query string nor any header but the request id and the trace it is part of.
Under `errors` a worker writes those of one endpoint and status once in ten seconds, and counts.
"""

from __future__ import annotations

from typing import NamedTuple

from offloader.service import log
from offloader.service.log_repeats import Repeats
from offloader.service.worker.answer import Response
from offloader.service.worker.generation import Generation
from offloader.shared.slots import WorkerCounters
from offloader.web.trace_context import trace_fields

# The lowest status that each policy logs.
_LOGGED_FROM = {"all": 0, "errors": 400, "off": 1000}
_SNAPSHOT = "Offloader-Snapshot-Id"
# Any other is what a caller thought of.
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class _Line(NamedTuple):
    """What a line is written of: nothing that keeps a body or a generation in memory.

    `fields` are the answer's, `generation` is a number, None before the first.
    """

    request_id: str
    method: str
    endpoint: str
    status: int
    duration_ns: int
    generation: int | None
    fields: str
    code: str
    rows: int
    size_bytes: int
    traceparent: str | None


class Record:
    """One worker's record; `policy` is `off`, `errors` or `all`."""

    def __init__(self, counters: WorkerCounters, policy: str) -> None:
        self._counters = counters
        self._logged_from = _LOGGED_FROM[policy]
        self._repeats = Repeats(_write_repeated) if policy == "errors" else None

    def note(
        self,
        generation: Generation | None,
        endpoint: str,
        method: str,
        answer: Response,
        request_id: str,
        duration_ns: int,
        traceparent: str | None = None,
    ) -> None:
        """Count an answer, and write its line when the policy asks for it.

        `traceparent` is the request's field as it was sent.
        """
        row = generation.rows.get(endpoint, 0) if generation is not None else 0
        status = answer.status
        self._counters.count(row, status, duration_ns, answer.rows_scanned, answer.cache)
        if answer.bytes_read:
            self._counters.count_bytes_read(row, answer.bytes_read)
        if status < self._logged_from:
            return
        line = _Line(
            request_id,
            method if method in _METHODS else "-",
            endpoint if row else "-",
            status,
            duration_ns,
            None if generation is None else generation.number,
            answer.fields,
            answer.code,
            answer.rows_scanned,
            answer.size_bytes,
            traceparent,
        )
        if self._repeats is None or self._repeats.is_first((line.endpoint, status), line):
            _write(line)

    def flush(self) -> None:
        """Write the counts of lines that repeated; the worker is about to end."""
        if self._repeats is not None:
            self._repeats.flush()


def endpoint_shown(generation: Generation | None, name: str) -> str:
    """Return an endpoint's name, `-` for a name that is only what a caller sent."""
    return name if generation is not None and name in generation.rows else "-"


def _write(line: _Line, **repeated: int) -> None:
    log.event(
        "request",
        request_id=line.request_id,
        method=line.method,
        endpoint=line.endpoint,
        status=line.status,
        seconds=round(line.duration_ns / 1e9, 6),
        generation=line.generation,
        snapshot=_snapshot(line.fields),
        code=line.code,
        rows=line.rows,
        bytes=line.size_bytes,
        **trace_fields(line.traceparent),
        **repeated,
    )


def _snapshot(fields: str) -> str | None:
    """Return the snapshot that the fields of an answer name."""
    pairs = (field.partition(": ") for field in fields.split("\r\n"))
    return next((value for name, _, value in pairs if name == _SNAPSHOT), None)


def _write_repeated(line: _Line, count: int) -> None:
    _write(line, repeated=count)
