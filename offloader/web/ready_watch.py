"""Say once that the instance is ready, by the same rule as `/ready`: from a thread of main."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.service import log
from offloader.service.main.memory import MainMemory
from offloader.service.worker.view import View, attached_workers, wanted_workers
from offloader.shared.control import Word

LOOK_SECONDS = 0.1


def start_ready_watch(memory: MainMemory, stop: threading.Event) -> None:
    """Look until the instance is ready for the first time, or `stop` is set."""
    threading.Thread(target=_watch, args=(memory, stop), name="ready watch", daemon=True).start()


def _watch(memory: MainMemory, stop: threading.Event) -> None:
    required = _Required()
    while not stop.wait(LOOK_SECONDS):
        if tell_if_ready(memory, required, time.time):
            return


def tell_if_ready(memory: MainMemory, required: _Required, clock: Callable[[], float]) -> bool:
    """Write the event when every required dataset is served by enough workers; tell whether."""
    control = memory.control
    view = View(None, control, memory.slots)
    if not control.generation() or attached_workers(view) < wanted_workers(view):
        return False
    document = memory.server.committed_document()
    if control[Word.IS_DRAINING] or not required.of(document) <= document["snapshots"].keys():
        return False
    log.event(
        "ready",
        seconds=round(clock() - control[Word.STARTED_AT_US] / 1e6, 3),
        datasets=len(document["snapshots"]),
        generation=control.generation(),
    )
    return True


class _Required:
    """The required datasets of the contracts that are served, parsed when they changed."""

    def __init__(self) -> None:
        self._documents: Mapping[str, Any] | None = None
        self._names: frozenset[str] = frozenset()

    def of(self, document: Mapping[str, Any]) -> frozenset[str]:
        """Return the names by the document of a generation."""
        documents = document["documents"]
        if documents != self._documents:
            datasets = parse_documents(documents).datasets.values()
            self._documents = documents
            self._names = frozenset(one.id for one in datasets if one.required)
        return self._names
