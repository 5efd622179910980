"""Remote scans: answer a query from the snapshot's files, in a bounded pool of threads.

The rows that a request may need become a segment of their own, in memory, and the ordinary plan
and executor answer from that: so bodies are those of shared memory. pyarrow and the libraries of
stores are imported for the first generation that has such an endpoint, and not at all without.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from offloader.query.cursor import cursor_gone
from offloader.query.execute import run
from offloader.query.plan import compile_plan
from offloader.service import log
from offloader.service.worker.answer import Query, Response
from offloader.service.worker.generation import Generation
from offloader.service.worker.refusals import ScanRefused, not_ready
from offloader.stores.access import Access

if TYPE_CHECKING:
    from offloader.service.worker.scan_reading import Reading

SCAN_SECONDS = 30.0


class RemoteScans:
    """One worker's scans: at most `at_once` run, each by one thread of the pool."""

    def __init__(self, access: Access, at_once: int) -> None:
        self._access = access
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="remote-scan")
        self._reading: Reading | None = None

    def prepare(self, generation: Generation) -> None:
        """Load what scans need if a generation has any. For the thread that attaches."""
        if self._reading is None and any(one.is_remote for one in generation.endpoints.values()):
            from offloader.service.worker.scan_reading import Reading

            self._reading = Reading.open(self._access, SCAN_SECONDS)

    def start(self, query: Query, *, is_current: bool) -> asyncio.Future[Response]:
        """Begin to answer; `is_current` unless a cursor goes on in an earlier snapshot.

        The future raises RequestError: ScanRefused, or 410 when an earlier snapshot's files are
        not there any more.
        """
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, self._answer, query, is_current)

    def _answer(self, query: Query, is_current: bool) -> Response:
        if self._reading is None:  # whatever answers was prepared before
            raise not_ready("the files of this endpoint cannot be read yet")
        plan, bound, tenant = query.plan, query.bound, query.tenant
        try:
            found = self._reading.read(plan, bound, tenant)
        except ScanRefused as error:
            if error.reason == "changed" and not is_current:
                raise cursor_gone() from None
            cause = error.__cause__
            log.warning(
                "scan_failed",
                endpoint=plan.endpoint.name,
                dataset=plan.dataset.id,
                code=error.code,
                reason=error.reason,
                error=str(cause) if cause is not None else None,
            )
            raise
        scanned = compile_plan(plan.dataset, found.endpoint, found.segment)
        response = query.answered(scanned, run(scanned, bound, tenant))
        response.rows_scanned, response.bytes_read = found.rows_read, found.bytes_read
        return response
