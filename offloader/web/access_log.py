"""The record of every answered request: its counters, and its line in the access log.

A line holds neither the query string nor any header but the request id.
"""

from __future__ import annotations

from offloader.service import log
from offloader.service.worker.answer import Response
from offloader.service.worker.generation import Generation
from offloader.shared.slots import WorkerCounters

# The lowest status that each policy logs.
_LOGGED_FROM = {"all": 0, "errors": 500, "off": 1000}
_SNAPSHOT = "Offloader-Snapshot-Id"


class Record:
    """One worker's record; `policy` is `off`, `errors` or `all`."""

    def __init__(self, counters: WorkerCounters, policy: str) -> None:
        self._counters = counters
        self._logged_from = _LOGGED_FROM[policy]

    def note(
        self,
        generation: Generation | None,
        endpoint: str,
        method: str,
        answer: Response,
        request_id: str,
        duration_ns: int,
    ) -> None:
        """Count an answer, and write its line when the policy asks for it."""
        row = generation.rows.get(endpoint, 0) if generation is not None else 0
        status = answer.status
        self._counters.count(row, status, duration_ns, answer.rows_scanned, answer.cache)
        if answer.bytes_read:
            self._counters.count_bytes_read(row, answer.bytes_read)
        if status < self._logged_from:
            return
        log.event(
            "request",
            request_id=request_id,
            method=method,
            endpoint=endpoint if row else "-",
            status=status,
            duration_ms=round(duration_ns / 1e6, 3),
            snapshot=dict(answer.headers).get(_SNAPSHOT),
        )
