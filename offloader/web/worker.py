"""One worker: its attachment to main, its heartbeat, and where its heavy queries run."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from offloader.service import log
from offloader.service.worker.answer import Query, Response, busy
from offloader.service.worker.attachment import Attachment
from offloader.service.worker.generation import Generation
from offloader.settings.settings import Settings
from offloader.shared.attach import allow_many_descriptors
from offloader.shared.control import Word
from offloader.shared.slots import Head

ATTACH_SECONDS = 25.0
HEARTBEAT_SECONDS = 1.0
# Above this many rows a query leaves the loop, which answers the health checks too.
INLINE_ROWS = 100_000
WAITING_PER_SCAN = 4
# A thread that compiles or scans gives way to the loop after this long, not after Python's 5 ms:
# requests during a change of the whole project then wait half as long (p90 and p99).
SWITCH_SECONDS = 0.0005
MAIN_LOST_EXIT = 70


class Worker:
    """What both apps of a worker process share."""

    def __init__(self, settings: Settings, address: str) -> None:
        allow_many_descriptors()
        sys.setswitchinterval(SWITCH_SECONDS)
        self.settings = settings
        self.address = address
        self._scans = ThreadPoolExecutor(settings.scan_concurrency, thread_name_prefix="scan")
        self._scans_wanted = 0
        number = worker_number(os.environ.get("SANIC_WORKER_NAME", ""))
        self.attachment = Attachment(address, number, _end)
        self.counters = self.attachment.counters
        self.head = self.attachment.head
        self._beating: asyncio.Task[None] | None = None

    async def attach(self) -> None:
        """Attach the committed generation; end the process when it does not come."""
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
        """Answer a query: at once when it reads little, else in the bounded pool.

        Raises RequestError 503 `busy` when the pool and its queue are full.
        """
        if query.rows_to_read <= INLINE_ROWS:
            return query.finish()
        most = self.settings.scan_concurrency * (1 + WAITING_PER_SCAN)
        if self._scans_wanted >= most:
            raise busy()
        self._scans_wanted += 1
        self.attachment.hold(generation)
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._scans, query.finish)
        finally:
            self._scans_wanted -= 1
            self.attachment.release(generation)


def worker_number(name: str) -> int:
    """Return the number in a worker's process name, `Sanic-Server-<number>-0`."""
    parts = name.split("-")
    return int(parts[2]) if len(parts) == 4 and parts[2].isdecimal() else 0


def _end() -> None:
    """End at once: main is gone, and a worker without it would serve old data for ever."""
    os._exit(MAIN_LOST_EXIT)
