"""A worker's side of a swap: attach what main offers, and serve what main has committed."""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from offloader.service.worker.generation import Generation, assemble
from offloader.shared.attach import connect, receive, send
from offloader.shared.control import ControlReader
from offloader.shared.memory import map_sealed
from offloader.shared.slots import Head, Slots

_REASON_CHARACTERS = 2000


class Attachment:
    """One worker's connection to main, and the generations it can serve.

    A thread receives, maps and compiles, so that a swap takes nothing from requests but its share
    of the processor. Requests only read.
    """

    def __init__(self, address: str, worker: int, on_lost: Callable[[], None]) -> None:
        self._connection = connect(address)
        self._on_lost = on_lost
        send(self._connection, {"role": "worker", "pid": os.getpid()})
        welcome, (control, slots) = receive(self._connection)
        self.control = ControlReader(control)
        self.slots = Slots.attach(slots, welcome["workers"])
        os.close(control)
        os.close(slots)
        self.head = self.slots.head(worker)
        self.slots.clear_head(worker)
        self.head[Head.PID] = os.getpid()
        self.counters = self.slots.counters(worker)
        self._parts: dict[str, mmap.mmap] = {}
        self._part_ids: dict[int, tuple[str, ...]] = {}
        self._generations: dict[int, Generation] = {}
        self._held: Counter[int] = Counter()
        self._is_first = threading.Event()

    def start(self, timeout_seconds: float) -> bool:
        """Begin to attach; return whether the committed generation came in time."""
        threading.Thread(target=self._receive, name="attach", daemon=True).start()
        return self._is_first.wait(timeout_seconds)

    def generation(self) -> Generation | None:
        """Return the committed generation; None when this worker has not attached it."""
        return self._generations.get(self.control.generation())

    def hold(self, generation: Generation) -> None:
        """Note that a request which outlives this moment reads a generation. Loop thread only."""
        self._held[generation.number] += 1
        self._note_lowest()

    def release(self, generation: Generation) -> None:
        """Note that such a request is done. Loop thread only."""
        self._held[generation.number] -= 1
        if not self._held[generation.number]:
            del self._held[generation.number]
        self._note_lowest()

    def _note_lowest(self) -> None:
        self.head[Head.LOWEST_IN_USE] = min([self.control.generation(), *self._held])

    def _receive(self) -> None:
        try:
            while True:
                message, descriptors = receive(self._connection)
                try:
                    self._handle(message, descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
        except (OSError, EOFError):
            self._on_lost()

    def _handle(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "part" in message:
            self._parts[message["part"]] = map_sealed(descriptors[0])
        elif "drop" in message:
            self._drop(message["drop"])
        elif "generation" in message:
            self._attach(message["generation"], descriptors[0])

    def _attach(self, number: int, descriptor: int) -> None:
        with map_sealed(descriptor) as mapping:
            document = json.loads(mapping[:])
        try:
            generation = assemble(number, document, self._parts.__getitem__)
        except Exception as error:  # whatever it is, main must hear of it
            reason = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
            send(self._connection, {"failed": number, "reason": reason})
            return
        snapshots = document["snapshots"].values()
        self._part_ids[number] = tuple(p for entry in snapshots for p in entry["parts"])
        self._generations[number] = generation
        self.head[Head.ATTACHED] = max(self.head[Head.ATTACHED], number)
        send(self._connection, {"attached": number})
        self._is_first.set()

    def _drop(self, number: int) -> None:
        self._generations.pop(number, None)
        self._part_ids.pop(number, None)
        kept = {part_id for part_ids in self._part_ids.values() for part_id in part_ids}
        for part_id in [p for p in self._parts if p not in kept]:
            del self._parts[part_id]  # unmapped when the last request that reads it is done
