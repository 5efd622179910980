"""The reloader's connection to main: prepare, commit and abort generations."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.service.generation_document import encode
from offloader.shared.attach import connect, receive, send
from offloader.shared.control import ControlReader
from offloader.shared.memory import map_sealed, memory_of
from offloader.shared.slots import Head, Slots

BEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A generation that can be committed; `mapped` are the bytes of what memory had no room for.

    They are by dataset: what is mapped is served from the page cache, and moves into memory when
    the same document is prepared again and there is room.
    """

    number: int
    mapped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why main did not prepare a generation; `damaged` names a part as (dataset, part id)."""

    code: str
    message: str
    hint: str
    damaged: tuple[str, str] | None = None


class MainLink:
    """One reloader's connection; raises EOFError or OSError when main is gone.

    `committed` is the document of the generation that was served when the link was made.
    """

    def __init__(self, address: str) -> None:
        self._connection = connect(address)
        send(self._connection, {"role": "reloader", "pid": os.getpid()})
        welcome, (control, slots, document) = receive(self._connection)
        self.control = ControlReader(control)
        self.slots = Slots.attach(slots, welcome["workers"])
        with map_sealed(document) as mapping:
            self.committed: dict[str, Any] = json.loads(bytes(mapping))
        for descriptor in (control, slots, document):
            os.close(descriptor)
        self._began_ns = 0

    def prepare(self, document: Mapping[str, object]) -> Prepared | Refused:
        """Have a generation loaded and attached by every worker."""
        self._began_ns = time.monotonic_ns()
        descriptor = memory_of("offloader-generation", encode(document))
        try:
            answer = self._ask({"prepare": True}, [descriptor])
        finally:
            os.close(descriptor)
        if "prepared" in answer:
            return Prepared(answer["prepared"], answer["mapped"])
        damaged = answer.get("damaged")
        return Refused(
            answer["refused"],
            answer["message"],
            answer.get("hint", ""),
            (damaged["dataset"], damaged["part"]) if damaged else None,
        )

    def load_ahead(self, dataset: str, part_id: str) -> None:
        """Have a part loaded whose segment is about to be prepared."""
        self._ask({"load_ahead": [dataset, part_id]})

    def commit(self, number: int) -> float:
        """Commit a prepared generation; return the seconds since its prepare began."""
        self._ask({"commit": number, "began_ns": self._began_ns})
        return (time.monotonic_ns() - self._began_ns) / 1e9

    def abort(self, number: int) -> None:
        """Drop a prepared generation."""
        self._ask({"abort": number})

    def _ask(self, message: Mapping[str, object], descriptors: list[int] | None = None) -> Any:
        send(self._connection, message, descriptors or [])
        heart = self.slots.reloader()
        answered = select.poll()  # not select(): it takes no descriptor above 1,023
        answered.register(self._connection, select.POLLIN)
        while not answered.poll(BEAT_SECONDS * 1000):
            heart[Head.HEARTBEAT_NS] = time.monotonic_ns()  # main is loading: nothing hangs
        return receive(self._connection)[0]
