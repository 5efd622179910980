"""How far a build is: the builder tells it every few seconds, the reloader logs it now and then.

The builder writes lines before the outcome of a job, in a thread of their own, so that they come
also while it sorts:

    {"progress": {"dataset", "snapshot", "stage", "rows", "bytes", "percent"}}
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from offloader.service import log

if TYPE_CHECKING:  # the reloader reads what is told, and has no use for it
    import pyarrow as pa

TELL_SECONDS = 5.0
LOG_SECONDS = 5.0
# Of a build of an hour, a line every six minutes is enough.
LOG_SHARE = 0.1


class Progress:
    """What a build did so far; several threads add to it.

    Before `begin` there is nothing to tell.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._named: Mapping[str, str] = {}
        self._row_count = 0
        self._parts: Collection[Path] = ()
        self._rows = 0
        self._bytes = 0
        self._lock = Lock()

    def begin(self, dataset: str, snapshot: str, row_count: int, parts: Collection[Path]) -> None:
        """Name what is built, how many rows it has and which files it is going to be."""
        self._named = {"dataset": dataset, "snapshot": snapshot}
        self._row_count, self._parts, self._rows = row_count, parts, 0
        self.has_begun = True

    def add_bytes(self, size_bytes: int) -> None:
        """Take note of bytes that arrived from a store."""
        with self._lock:
            self._bytes += size_bytes

    def counted(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield tables, and take note of their rows when they were worked on."""
        for table in tables:
            yield table
            self._rows += table.num_rows

    def as_document(self) -> dict[str, Any]:
        """Return what is told of it, as JSON values.

        Each part that is written counts as much as reading all rows: the percentage is a rough one,
        and never goes back.
        """
        written = sum(1 for path in self._parts if path.exists())
        whole = self._row_count * (1 + len(self._parts))
        # What is written was read, also when it was read in an earlier build.
        rows = self._row_count if written else min(self._rows, self._row_count)
        done = rows + self._row_count * written
        if written or (self._rows and self._rows >= self._row_count):
            stage = "writing"
        else:
            stage = "reading" if self._rows or not self._bytes else "downloading"
        return {
            **self._named,
            "stage": stage,
            "rows": self._rows,
            "bytes": self._bytes,
            "percent": round(100 * done / whole, 1) if whole else None,
        }


@contextmanager
def telling(
    progress: Progress, write: Callable[[str], None], *, seconds: float = TELL_SECONDS
) -> Iterator[None]:
    """Write a line of progress every so many seconds while the block runs, and none after it."""
    has_ended, writing = Event(), Lock()

    def tell() -> None:
        while not has_ended.wait(seconds):
            line = json.dumps({"progress": progress.as_document()})
            with writing:
                if progress.has_begun and not has_ended.is_set():
                    write(line)

    Thread(target=tell, name="progress", daemon=True).start()
    try:
        yield
    finally:
        with writing:  # not joined: it may look at a volume that hangs
            has_ended.set()


def read_progress(line: bytes) -> Mapping[str, Any] | None:
    """Return what a line tells of progress; None for any other line."""
    if not line.startswith(b'{"progress"'):
        return None
    try:
        found: Mapping[str, Any] = json.loads(line)["progress"]
    except (ValueError, LookupError):
        return None
    return found


@dataclass(slots=True)
class ProgressLog:
    """Logs the progress of one job: at most every five seconds, later every tenth of its time."""

    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    _next_at: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.clock()

    def note(self, told: Mapping[str, Any]) -> None:
        """Log what the builder tells, unless that was done a moment ago."""
        now = self.clock()
        if now < self._next_at:
            return
        passed = now - self.began
        # A little earlier: what is told comes in steps, and should not be missed by a hair.
        self._next_at = now + max(LOG_SECONDS, LOG_SHARE * passed) - LOG_SECONDS / 2
        log.event(
            "build_progress",
            dataset=told["dataset"],
            snapshot=told["snapshot"],
            stage=told["stage"],
            rows=told["rows"],
            bytes=told["bytes"],
            percent=told["percent"],
            seconds=round(passed, 1),
        )
