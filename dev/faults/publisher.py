"""Publish snapshot after snapshot, each when the one before is served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dev.faults.loading import LoadProcess
from dev.faults.project import Source
from tests.service_process import Running

_SERVED_SECONDS = 30.0


class Publisher:
    """The producer of one dataset; `number` is the newest snapshot it announced."""

    def __init__(self, service: Running, load: LoadProcess, source: Source) -> None:
        self.number = 1
        self._service = service
        self._load = load
        self._source = source
        load.expect([1])

    def publish_next(self) -> None:
        """Publish one and wait until it is served."""
        number = self.number + 1
        self._load.expect([number])
        self._source.publish(number)
        self.number = number
        self._service.wait(lambda: self._served() == number, _SERVED_SECONDS)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish without a pause while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(target=self._publish_until, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _publish_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.publish_next()

    def _served(self) -> int:
        swapped = self._service.events("swapped")
        return max((int(line["snapshot"][1:]) for line in swapped), default=0)
