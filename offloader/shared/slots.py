"""Worker slots: what each worker says of itself, and its counters, in one writable memory file.

    0                     board: the reloader's status document (board.py)
    BOARD_BYTES           reloader: a head: pid, heartbeat
    + 64                  worker 0: a head, 8 words, then a row of COUNTERS words per endpoint
    + SLOT_BYTES          worker 1, and so on

Words are native, aligned uint64. Each slot has one writer, so nothing is locked and nothing is
lost: a worker that is restarted goes on counting in the slot of the one before it. Pages that
nobody touches take no memory. A heartbeat is nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from enum import IntEnum

from offloader.shared.board import BOARD_BYTES, Board
from offloader.shared.memory import create_memory, map_writable, seal_size

# Row 0 counts what belongs to no endpoint: unknown names, bad keys, other paths.
MAX_COUNTED_ENDPOINTS = 1024
STATUSES = (200, 204, 304, 400, 401, 404, 405, 406, 410, 413, 414, 422, 431, 500, 503)
BUCKETS_SECONDS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip
CACHE_RESULTS = ("hit", "miss", "off")
FAILED_SCANS = ("unavailable", "changed", "timeout", "too_large")

_BUCKETS_NS = tuple(int(bound * 1e9) for bound in BUCKETS_SECONDS)
_STATUS_AT = {status: index for index, status in enumerate(STATUSES)}
_CACHE_AT = {result: index for index, result in enumerate(CACHE_RESULTS)}
_OTHER_STATUS = len(STATUSES)
_BUCKET = _OTHER_STATUS + 1
_SUM = _BUCKET + len(BUCKETS_SECONDS) + 1
_ROWS = _SUM + 1
_CACHE = _ROWS + 1
_BYTES = _CACHE + len(CACHE_RESULTS)
_FAILED = _BYTES + 1
_SHED = _FAILED + len(FAILED_SCANS)
COUNTERS = 48
_HEAD_WORDS = 8
_SLOT_WORDS = _HEAD_WORDS + COUNTERS * MAX_COUNTED_ENDPOINTS


class Head(IntEnum):
    """The first words of a worker's slot, and of the reloader's."""

    PID = 0
    HEARTBEAT_NS = 1
    ATTACHED = 2  # the newest generation this worker can serve
    LOWEST_IN_USE = 3  # the oldest generation a long request still reads; 0 when there is none
    IN_FLIGHT = 4
    CONNECTIONS = 5  # open ones to the API port, and those this worker has taken over and opens
    LOOKS = 6  # how often this worker has emptied its mailbox
    SAVED = 7  # of the reloader: the newest generation whose state is in the state file


class Counts:
    """The counters of one endpoint, as read from one slot or summed over all."""

    def __init__(self, words: list[int]) -> None:
        self._words = words

    def statuses(self) -> Iterator[tuple[str, int]]:
        """Yield each status that occurred with its count; `other` for one not foreseen."""
        for status, count in zip((*STATUSES, "other"), self._words, strict=False):
            if count:
                yield str(status), count

    def buckets(self) -> Iterator[tuple[str, int]]:
        """Yield each bound in seconds, as text, with the cumulative count below it."""
        total = 0
        for index, bound in enumerate((*map(str, BUCKETS_SECONDS), "+Inf")):
            total += self._words[_BUCKET + index]
            yield bound, total

    @property
    def duration_seconds(self) -> float:
        """The sum of all durations."""
        return self._words[_SUM] / 1e9

    @property
    def rows_scanned(self) -> int:
        """Rows that queries looked at."""
        return self._words[_ROWS]

    @property
    def bytes_read(self) -> int:
        """Bytes that queries read from stores."""
        return self._words[_BYTES]

    @property
    def shed(self) -> int:
        """Requests that were refused as busy."""
        return self._words[_SHED]

    def failed_scans(self) -> Iterator[tuple[str, int]]:
        """Yield why scans of files failed with their counts, where there is one."""
        for index, reason in enumerate(FAILED_SCANS):
            if self._words[_FAILED + index]:
                yield reason, self._words[_FAILED + index]

    def cache_results(self) -> Iterator[tuple[str, int]]:
        """Yield `hit`, `miss` and `off` with their counts, where there is one."""
        for index, result in enumerate(CACHE_RESULTS):
            if self._words[_CACHE + index]:
                yield result, self._words[_CACHE + index]


class Slots:
    """Every slot; `descriptor` is set in main, which made the memory and may give it away."""

    def __init__(self, workers: int, descriptor: int | None = None) -> None:
        size_bytes = BOARD_BYTES + 8 * _HEAD_WORDS + workers * _SLOT_WORDS * 8
        self.descriptor = -1
        if descriptor is None:
            descriptor = self.descriptor = create_memory("offloader-slots", size_bytes)
            seal_size(descriptor)  # main reads it: a shorter one would end main by SIGBUS
        mapping = map_writable(descriptor)
        self.workers = workers
        self.board = Board(memoryview(mapping)[:BOARD_BYTES])
        self._words = memoryview(mapping)[BOARD_BYTES:].cast("Q")

    @classmethod
    def attach(cls, descriptor: int, workers: int) -> Slots:
        """Map the slots that main made."""
        return cls(workers, descriptor)

    def reloader(self) -> memoryview:
        """Return the reloader's words, to read and, in the reloader, to write."""
        return self._words[:_HEAD_WORDS]

    def head(self, worker: int) -> memoryview:
        """Return the words of one worker's head, indexed by `Head`."""
        start = self._start(worker)
        return self._words[start : start + _HEAD_WORDS]

    def clear_head(self, worker: int) -> None:
        """Say that no process is in this slot. Its counters stay."""
        self.head(worker)[:] = memoryview(bytes(8 * _HEAD_WORDS)).cast("Q")

    def counters(self, worker: int) -> WorkerCounters:
        """Return what one worker counts with."""
        start = self._start(worker) + _HEAD_WORDS
        return WorkerCounters(self._words[start : start + COUNTERS * MAX_COUNTED_ENDPOINTS])

    def totals(self, row: int) -> Counts:
        """Return one endpoint's counters, summed over all workers."""
        rows = [self.counters(worker).row(row) for worker in range(self.workers)]
        return Counts([sum(words) for words in zip(*rows, strict=True)])

    def in_flight(self) -> int:
        """Return how many requests all workers are answering."""
        return sum(self.head(worker)[Head.IN_FLIGHT] for worker in range(self.workers))

    def close(self) -> None:
        """Close the descriptor; the mapping lives as long as the process."""
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def _start(self, worker: int) -> int:
        return _HEAD_WORDS + worker * _SLOT_WORDS


class WorkerCounters:
    """One worker's counters, a row an endpoint. Counting costs well under a microsecond."""

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def row(self, row: int) -> memoryview:
        """Return one endpoint's words."""
        return self._words[row * COUNTERS : (row + 1) * COUNTERS]

    def count(self, row: int, status: int, duration_ns: int, rows_scanned: int, cache: str) -> None:
        """Count one answered request."""
        words, start = self._words, row * COUNTERS
        words[start + _STATUS_AT.get(status, _OTHER_STATUS)] += 1
        words[start + _BUCKET + bisect_left(_BUCKETS_NS, duration_ns)] += 1
        words[start + _SUM] += duration_ns
        if rows_scanned:
            words[start + _ROWS] += rows_scanned
        if cache:
            words[start + _CACHE + _CACHE_AT[cache]] += 1

    def count_bytes_read(self, row: int, count: int) -> None:
        """Count bytes that a query read from a store."""
        self._words[row * COUNTERS + _BYTES] += count

    def count_failed_scan(self, row: int, reason: str) -> None:
        """Count a scan of files that failed, for one of FAILED_SCANS."""
        self._words[row * COUNTERS + _FAILED + FAILED_SCANS.index(reason)] += 1

    def count_shed(self, row: int) -> None:
        """Count a request that is refused as busy."""
        self._words[row * COUNTERS + _SHED] += 1
