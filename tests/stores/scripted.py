"""A store that fails as it is told to, and a clock that only waiting moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from offloader.errors import SourceUnavailable
from offloader.stores.store import StoredObject, exactly, range_bytes

CONTENT = bytes(range(100))
FOUND = StoredObject("key", 100, "1", 0.0)
Step = SourceUnavailable | int | None


@dataclass
class Scripted:
    """A store of one object of 100 bytes; each call takes the next step of the script.

    An error is raised; a number is how many bytes a body has before it breaks off, or is cut for
    a write; None works. After the script everything works. Each call takes `call_seconds`.
    """

    steps: list[Step]
    clock: Clock
    call_seconds: float = 0.0
    chunk_bytes: int = 10
    calls: list[tuple[object, ...]] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    closed: int = 0
    url: str = "gs://scripted"

    def stat(self, key: str) -> StoredObject:
        """Look up."""
        self._step("stat", key)
        return FOUND

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """List."""
        self._step("list", prefix, most)
        return [FOUND]

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Read."""
        step = self._step("read", start, length)
        wanted = range_bytes(found, start, length)
        end = start + (wanted if step is None else step)
        return exactly(self._chunks(start, end), wanted, self.url, found.key)

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Write."""
        self.written.append(content.read(size_bytes))
        self._step("write", key)

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        try:
            for begin in range(start, end, self.chunk_bytes):
                self.clock.now += self.call_seconds
                yield CONTENT[begin : min(begin + self.chunk_bytes, end)]
        finally:
            self.closed += 1

    def _step(self, *call: object) -> int | None:
        self.calls.append(call)
        self.clock.now += self.call_seconds
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, SourceUnavailable):
            raise step
        return step


@dataclass
class Clock:
    """Seconds that pass by waiting; `waits` are the waits."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def time(self) -> float:
        """Tell the time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Wait."""
        self.waits.append(seconds)
        self.now += seconds
