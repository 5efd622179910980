"""The control block: the one mutable page that says which generation is served.

4,096 bytes of native, aligned uint64 words, one per `Word`. Main alone can write: after its own
mapping the memory is sealed with F_SEAL_FUTURE_WRITE, so other processes can only map it for
reading. A word is stored with one aligned 8-byte move, so a reader sees the old or the new value.
"""

from __future__ import annotations

import os
from enum import IntEnum, auto

from offloader.shared.memory import create_memory, map_live, map_writable, seal_for_others

SIZE_BYTES = 4096


class Word(IntEnum):
    """What each word of the control block holds; times are nanoseconds of CLOCK_MONOTONIC."""

    GENERATION = 0  # the committed generation; 0 before the first
    IS_DRAINING = auto()
    WORKERS = auto()  # how many workers there should be
    STARTED_AT_US = auto()  # microseconds since the epoch
    COMMITTED_AT_US = auto()  # microseconds since the epoch
    SWAP_DURATION_NS = auto()  # from the start of prepare to the commit, of the last swap
    SHARED_BYTES = auto()  # of segments in shared memory, whoever still maps them
    LIMIT_BYTES = auto()
    WORKER_RESTARTS = auto()
    RELOADER_RESTARTS = auto()
    MAPPED_BYTES = auto()  # of segments that are mapped from the cache's files instead
    MAIN_PID = auto()


class ControlReader:
    """A process's read-only view of the control block."""

    def __init__(self, descriptor: int) -> None:
        self._words = memoryview(map_live(descriptor)).cast("Q")

    def __getitem__(self, word: int) -> int:
        return self._words[word]

    def generation(self) -> int:
        """Return the number of the committed generation."""
        return self._words[0]


class ControlBlock(ControlReader):
    """Main's control block; `descriptor` may be given to other processes."""

    def __init__(self) -> None:
        self.descriptor = create_memory("offloader-control", SIZE_BYTES)
        self._words = memoryview(map_writable(self.descriptor)).cast("Q")
        seal_for_others(self.descriptor)

    def __setitem__(self, word: Word, value: int) -> None:
        self._words[word] = value

    def add(self, word: Word, count: int = 1) -> None:
        """Add to a word. Only one thread of main may do so."""
        self._words[word] += count

    def close(self) -> None:
        """Close the descriptor; the mapping lives as long as the process."""
        os.close(self.descriptor)
