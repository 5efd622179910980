"""One worker: its attachment to main, its heartbeat, and where its heavy queries run."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from offloader.errors import RequestError
from offloader.service import log
from offloader.service.worker.answer import Query, Response
from offloader.service.worker.attachment import Attachment
from offloader.service.worker.cost import is_quick
from offloader.service.worker.generation import Generation
from offloader.service.worker.refusals import ScanRefused, busy, scan_timeout
from offloader.service.worker.remote_scan import SCAN_SECONDS, RemoteScans
from offloader.service.worker.response_cache import ResponseCache
from offloader.service.worker.single_flight import SingleFlight
from offloader.settings.settings import Settings
from offloader.shared.attach import allow_many_descriptors
from offloader.shared.control import Word
from offloader.shared.mailbox import Mailbox
from offloader.shared.slots import Head
from offloader.stores.access import Access
from offloader.web.spread import Spread

ATTACH_SECONDS = 25.0
HEARTBEAT_SECONDS = 1.0
WAITING_PER_SCAN = 4
# Those who wait for the same scan cost a connection each, no work.
CALLERS_PER_SCAN = 16
# A thread that compiles or scans gives way to the loop after this long, not after Python's 5 ms:
# requests during a change of the whole project then wait half as long (p90 and p99).
SWITCH_SECONDS = 0.0005
# Requests leave no cycles behind; requests that are kept would have all of them walked for nothing.
GC_THRESHOLDS = (10_000, 20, 1_000)
MAIN_LOST_EXIT = 70


class Worker:
    """What both apps of a worker process share."""

    def __init__(self, settings: Settings, address: str, mailboxes: Sequence[Mailbox] = ()) -> None:
        allow_many_descriptors()
        sys.setswitchinterval(SWITCH_SECONDS)
        self.settings = settings
        self.address = address
        self._scans = ThreadPoolExecutor(settings.scan_concurrency, thread_name_prefix="scan")
        most_runs = settings.scan_concurrency * (1 + WAITING_PER_SCAN)
        self._flights = SingleFlight[Response](most_runs, most_runs * CALLERS_PER_SCAN, busy)
        # Of their own: a store that hangs must not hold up what is in shared memory.
        self._remote_flights = SingleFlight[Response](most_runs, most_runs * CALLERS_PER_SCAN, busy)
        self._remote = RemoteScans(Access.of(settings), settings.scan_concurrency)
        number = worker_number(os.environ.get("SANIC_WORKER_NAME", ""))
        self.attachment = Attachment(address, number, _end, self._remote.prepare)
        self.cache = ResponseCache(settings.response_cache_bytes)
        self.counters = self.attachment.counters
        self.head = self.attachment.head
        slots = self.attachment.slots
        self.spread = Spread(number, slots, mailboxes, lambda: self.is_draining)
        self._beating: asyncio.Task[None] | None = None

    async def attach(self) -> None:
        """Attach the committed generation; end the process when it does not come."""
        # What was imported stays. A full collection that walks it would hold the loop for 10 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(None, self.attachment.start, ATTACH_SECONDS):
            log.error("attach_timeout", hint="see the lines of main before this one")
            os._exit(1)

    def start_beating(self) -> None:
        """Show from now on that the running loop turns."""
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    def stop_beating(self) -> None:
        """End the heartbeat; the loop is about to close."""
        if self._beating is not None:
            self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            self.head[Head.HEARTBEAT_NS] = time.monotonic_ns()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    @property
    def is_draining(self) -> bool:
        """Whether this instance is about to stop."""
        return bool(self.attachment.control[Word.IS_DRAINING])

    async def finish(self, generation: Generation, query: Query) -> Response:
        """Answer a query: at once when it costs little, else in the bounded pool.

        Equal ones at the same time are run once. Raises RequestError 503 `busy` when the pool and
        its queue are full.
        """
        if query.is_remote:
            return await self._finish_remote(generation, query)
        if is_quick(query):
            return query.finish()
        run = partial(self._scan, generation, query)
        response, is_first = await self._fly(self._flights, generation, query, run)
        return response if is_first else query.shared(response)

    async def _fly(
        self,
        flights: SingleFlight[Response],
        generation: Generation,
        query: Query,
        run: Callable[[], asyncio.Future[Response]],
    ) -> tuple[Response, bool]:
        """Run a query or wait for one like it, and count when there is no room for it."""
        try:
            return await flights.run((query.tag, query.owner), run)
        except RequestError as error:
            if error.code == "busy":
                self.counters.count_shed(generation.rows.get(query.plan.endpoint.name, 0))
            raise

    def _scan(self, generation: Generation, query: Query) -> asyncio.Future[Response]:
        self.attachment.hold(generation)
        running = asyncio.get_running_loop().run_in_executor(self._scans, query.finish)
        running.add_done_callback(lambda _: self.attachment.release(generation))
        return running

    async def _finish_remote(self, generation: Generation, query: Query) -> Response:
        """Read the snapshot's files; raises RequestError 503 also when a store does not answer."""
        run = partial(self._scan_remote, generation, query)
        flight = self._fly(self._remote_flights, generation, query, run)
        try:
            response, is_first = await asyncio.wait_for(flight, SCAN_SECONDS + 1)
        except TimeoutError:  # it waits for a thread or for the store, and ends by itself
            raise self._counted(generation, query, scan_timeout()) from None
        return response if is_first else query.shared(response)

    def _scan_remote(self, generation: Generation, query: Query) -> asyncio.Future[Response]:
        self.attachment.hold(generation)
        is_current = generation.endpoints.get(query.plan.endpoint.name) is query.served
        running = self._remote.start(query, is_current=is_current)

        def end(done: asyncio.Future[Response]) -> None:
            self.attachment.release(generation)
            error = None if done.cancelled() else done.exception()
            if isinstance(error, ScanRefused):
                self._counted(generation, query, error)

        running.add_done_callback(end)
        return running

    def _counted(self, generation: Generation, query: Query, error: ScanRefused) -> ScanRefused:
        row = generation.rows.get(query.plan.endpoint.name, 0)
        self.counters.count_failed_scan(row, error.reason)
        return error


def worker_number(name: str) -> int:
    """Return the number in a worker's process name, `Sanic-Server-<number>-0`."""
    parts = name.split("-")
    return int(parts[2]) if len(parts) == 4 and parts[2].isdecimal() else 0


def _end() -> None:
    """End at once: main is gone, and a worker without it would serve old data for ever."""
    os._exit(MAIN_LOST_EXIT)
