"""A worker's side of a swap: attach what main offers, and serve what main has committed."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

from offloader.service.worker.generation import Earlier, Generation, assemble
from offloader.shared.attach import connect, receive, send
from offloader.shared.control import ControlReader
from offloader.shared.memory import map_sealed
from offloader.shared.slots import Head, Slots

_REASON_CHARACTERS = 2000


class Attachment:
    """One worker's connection to main, and the generations it can serve.

    A thread receives, maps and compiles, so that a swap takes nothing from requests but its share
    of the processor. Requests only read. `worker` is this worker's number among the slots;
    `prepare` is called with each generation before it can be served, and may raise.
    """

    def __init__(
        self,
        address: str,
        worker: int,
        on_lost: Callable[[], None],
        prepare: Callable[[Generation], None] = lambda _: None,
    ) -> None:
        self._connection = connect(address)
        self._on_lost = on_lost
        self._prepare = prepare
        send(self._connection, {"role": "worker", "worker": worker})
        welcome, (control, slots) = receive(self._connection)
        self.control = ControlReader(control)
        self.slots = Slots.attach(slots, welcome["workers"])
        os.close(control)
        os.close(slots)
        self.head = self.slots.head(worker)
        self.slots.clear_head(worker)
        self.head[Head.PID] = os.getpid()
        self.counters = self.slots.counters(worker)
        self._parts: dict[str, memoryview] = {}
        self._generations: dict[int, Generation] = {}
        # Of every generation that anything refers to still, also a request.
        self._earlier: weakref.WeakSet[Earlier] = weakref.WeakSet()
        self._held: Counter[int] = Counter()
        self._is_first = threading.Event()

    def start(self, timeout_seconds: float) -> bool:
        """Begin to attach; return whether the committed generation came in time."""
        threading.Thread(target=self._receive, name="attach", daemon=True).start()
        return self._is_first.wait(timeout_seconds)

    def generation(self) -> Generation | None:
        """Return the committed generation; None when this worker has not attached it."""
        while True:
            number = self.control.generation()
            found = self._generations.get(number)
            # Committed and dropped in between: then there is a newer one by now.
            if found is not None or number == self.control.generation():
                return found

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
        self.head[Head.LOWEST_IN_USE] = min(self._held, default=0)

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
        if "parts" in message:
            for key, descriptor in zip(message["parts"], descriptors, strict=True):
                self._parts[key] = map_sealed(descriptor)
        elif "forget" in message:
            self._forget(message["forget"])
        elif "drop" in message:
            for number in message["drop"]:
                self._generations.pop(number, None)
        elif "generation" in message:
            self._attach(message["generation"], descriptors[0])

    def _attach(self, number: int, descriptor: int) -> None:
        try:
            document = json.loads(bytes(map_sealed(descriptor)))
            generation = assemble(number, document, self._parts.__getitem__, self._newest())
            self._prepare(generation)
        except Exception as error:  # whatever it is, main must hear of it
            reason = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
            send(self._connection, {"failed": number, "reason": reason})
            return
        self._earlier.add(generation.earlier)
        self._generations[number] = generation
        self.head[Head.ATTACHED] = max(self.head[Head.ATTACHED], number)
        send(self._connection, {"attached": number})
        self._is_first.set()

    def _forget(self, keys: list[str]) -> None:
        """Let go of parts, which are unmapped when the last request that reads them is done."""
        for earlier in list(self._earlier):
            earlier.let_go(keys)
        for key in keys:
            self._parts.pop(key, None)
        send(self._connection, {"forgot": keys})

    def _newest(self) -> Generation | None:
        """Return the newest generation that is attached: most of the next one is in it already."""
        return self._generations[max(self._generations)] if self._generations else None
