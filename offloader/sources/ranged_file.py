"""An object as a file to seek in: ranges are fetched ahead side by side, or when they are read."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor

from offloader.stores.store import ObjectStore, StoredObject

Range = tuple[int, int]  # the first byte, and the one behind the last
# Ranges that lie so close are one: a request costs more than the bytes between.
GAP_BYTES = 64 << 10
# A longer range comes in several requests at once.
PIECE_BYTES = 4 << 20


def merged(ranges: Iterable[Range], gap_bytes: int = GAP_BYTES) -> list[Range]:
    """Return ranges in order, those that touch or lie close as one."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1] + gap_bytes:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return found


class RangedFile(io.RawIOBase):
    """One version of one object, for a single reader that may be on any thread.

    `on_bytes` is told of every chunk that arrives, by the thread that waits for it, and may raise
    to end the reading. Raises what the store raises: ObjectChanged, ObjectMissing, StoreFailed.
    """

    def __init__(
        self, store: ObjectStore, found: StoredObject, on_bytes: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._store = store
        self._found = found
        self._on_bytes = on_bytes
        self._position = 0
        self._starts: list[int] = []
        self._held: list[bytes | bytearray] = []

    def hold(self, start: int, content: bytes | bytearray) -> None:
        """Answer reads inside this range from memory."""
        place = bisect_right(self._starts, start)
        self._starts.insert(place, start)
        self._held.insert(place, content)

    def fetch(self, ranges: Sequence[Range], pool: Executor) -> Callable[[], None]:
        """Begin to fetch ranges by the threads of a pool; the function returned waits for them.

        Then they are held; it raises what went wrong.
        """
        buffers = [(start, bytearray(end - start)) for start, end in ranges]
        running = [
            pool.submit(self._fill, begin, memoryview(content)[begin - start :][:PIECE_BYTES])
            for start, content in buffers
            for begin in range(start, start + len(content), PIECE_BYTES)
        ]

        def finish() -> None:
            try:
                for one in running:
                    one.result()
            finally:
                for one in running:
                    one.cancel()
            for start, content in buffers:
                self.hold(start, content)

        return finish

    def let_go(self, starts: Iterable[int]) -> None:
        """Hold no longer what is held from these bytes on."""
        for start in starts:
            place = bisect_right(self._starts, start) - 1
            del self._starts[place], self._held[place]

    def forget(self) -> None:
        """Hold nothing."""
        self._starts.clear()
        self._held.clear()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found.size_bytes}
        self._position = base[whence] + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes: as many as asked for, all without, fewer at the end."""
        left = max(self._found.size_bytes - self._position, 0)
        length = left if size is None or size < 0 else min(size, left)
        content = bytes(self._held_at(self._position, self._position + length))
        if len(content) < length:
            rest = self._chunks(self._position + len(content), length - len(content))
            content = b"".join((content, *rest))
        self._position += len(content)
        return content

    def _held_at(self, start: int, end: int) -> memoryview:
        """Return as many of these bytes as are held, from the first one on."""
        place = bisect_right(self._starts, start) - 1
        if place < 0:
            return memoryview(b"")
        begin = self._starts[place]
        return memoryview(self._held[place])[start - begin : end - begin]

    def _fill(self, start: int, view: memoryview) -> None:
        done = 0
        for chunk in self._chunks(start, len(view)):
            view[done : done + len(chunk)] = chunk
            done += len(chunk)

    def _chunks(self, start: int, length: int) -> Iterator[bytes]:
        for chunk in self._store.read(self._found, start, length):
            self._on_bytes(len(chunk))
            yield chunk
