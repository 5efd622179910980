"""Ask every dataset, one after the other, all the time, and compare each answer's bytes."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dev.faults.project import TOKEN, Source

_TIMEOUT_SECONDS = 15.0
_MAX_SAMPLES = 5


@dataclass(slots=True, eq=False)
class Asker:
    """What was answered so far; `allowed` are the snapshots each dataset may be answered from.

    `served` is the snapshot of each dataset's last answer.
    """

    allowed: dict[str, frozenset[int]]
    answers: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    served: dict[str, int] = field(default_factory=dict)
    _bodies: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def allow(self, source: Source, numbers: Collection[int]) -> None:
        """Take these snapshots' answers for right from now on."""
        for number in numbers:
            for target, body in zip(source.targets, source.bodies(number), strict=True):
                self._bodies[target, body] = number
        self.allowed[source.name] = frozenset(numbers)

    def ask_until(
        self, stop: threading.Event, address: tuple[str, int], sources: Mapping[str, Source]
    ) -> None:
        """Ask until told to stop; a connection that breaks is something wrong."""
        connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_SECONDS)
        while not stop.is_set():
            for source in sources.values():
                for target in source.targets:
                    try:
                        self._ask(connection, source, target)
                    except (OSError, http.client.HTTPException) as error:
                        self._note(source, f"{type(error).__name__}: {error}")
                        connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, source: Source, target: str) -> None:
        connection.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        body = response.read()
        self.answers += 1
        number = self._bodies.get((target, body), 0)
        self.served[source.name] = number
        if response.status != 200 or number not in self.allowed[source.name]:
            self._note(source, f"{response.status} {body[:200]!r}")

    def _note(self, source: Source, what: str) -> None:
        self.wrong[source.name] += 1
        if len(self.samples) < _MAX_SAMPLES:
            self.samples.append(f"{source.name}: {what}")


@contextmanager
def asking(address: tuple[str, int], sources: Mapping[str, Source]) -> Iterator[Asker]:
    """Ask while the block runs; every dataset is to be answered from snapshot 1 at first."""
    asker = Asker({})
    for source in sources.values():
        asker.allow(source, [1])
    stop = threading.Event()
    thread = threading.Thread(target=asker.ask_until, args=(stop, address, sources), daemon=True)
    thread.start()
    try:
        yield asker
    finally:
        stop.set()
        thread.join()
