"""One scan: what it is asked, how much it may take, and how much it took so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from offloader.catalog.model import Column
from offloader.sources.scan_filter import Condition


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What of a snapshot is needed: `columns` of the rows that meet all `conditions`.

    Rows that do not may be among them. With `enough_rows`, so many of the first ones are enough;
    only who has no condition beside these may say so.
    """

    columns: tuple[Column, ...]
    conditions: tuple[Condition, ...] = ()
    enough_rows: int | None = None


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """How much one scan may take.

    `rows` and `decoded_bytes` are of the rows that are kept, `group_bytes` of the columns needed of
    one row group, which is decoded as a whole. What is known before it is fetched is refused then.
    """

    seconds: float = 30.0
    rows: int = 1_000_000
    decoded_bytes: int = 256 << 20
    read_bytes: int = 1 << 30
    group_bytes: int = 512 << 20


class ScanTimeoutError(Exception):
    """A scan took longer than it may."""


class ScanTooLargeError(Exception):
    """A scan would read, or keep, more than it may; the message says what."""


class FileChangedError(Exception):
    """A file is not what it was when its snapshot was built; the message names it."""


class Scan:
    """The running sums of one scan; bytes may be noted by any thread."""

    def __init__(
        self,
        request: ScanRequest,
        limits: ScanLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request = request
        self.limits = limits
        self.rows_read = 0
        self.bytes_read = 0
        self._planned_bytes = 0
        self._kept_rows = 0
        self._kept_bytes = 0
        self._clock = clock
        self._deadline = clock() + limits.seconds
        self._lock = Lock()

    def note_bytes(self, count: int) -> None:
        """Count bytes that arrived; raises ScanTimeoutError, ScanTooLargeError."""
        with self._lock:
            self.bytes_read += count
        if self.bytes_read > self.limits.read_bytes:
            raise ScanTooLargeError(f"it reads more than {self.limits.read_bytes} bytes")
        self.check_time()

    def plan(self, stored_bytes: int, decoded_bytes: int) -> None:
        """Take note of a row group that is to be fetched; raises ScanTooLargeError."""
        self._planned_bytes += stored_bytes
        if decoded_bytes > self.limits.group_bytes:
            most = self.limits.group_bytes
            raise ScanTooLargeError(f"a row group takes over {most} bytes: write smaller ones")
        if self._planned_bytes > self.limits.read_bytes:
            raise ScanTooLargeError(f"it reads more than {self.limits.read_bytes} bytes")

    def stop(self) -> None:
        """Have whoever still fetches for this scan end."""
        self._deadline = float("-inf")

    def check_time(self) -> None:
        """Raise ScanTimeoutError when the time is up."""
        if self._clock() > self._deadline:
            raise ScanTimeoutError(f"it takes longer than {self.limits.seconds:g} seconds")

    def keep(self, table: pa.Table) -> None:
        """Count rows that are kept; raises ScanTooLargeError."""
        self._kept_rows += table.num_rows
        self._kept_bytes += table.nbytes
        if self._kept_rows > self.limits.rows:
            raise ScanTooLargeError(f"more than {self.limits.rows} rows match")
        if self._kept_bytes > self.limits.decoded_bytes:
            raise ScanTooLargeError(f"matching rows take over {self.limits.decoded_bytes} bytes")

    @property
    def has_enough(self) -> bool:
        """Whether no further row is needed."""
        enough = self.request.enough_rows
        return enough is not None and self._kept_rows >= enough
