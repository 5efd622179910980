"""Patience: any backend with retries, back-off, deadlines, and reads that go on where they broke.

A call is tried again when it raised StoreFailed. What a store means is never asked again:
StoreDenied, ObjectMissing, ObjectChanged, ObjectExists, and what it cannot do at all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from offloader.stores.store import (
    ObjectStore,
    StoreDenied,
    StoredObject,
    StoreFailed,
    exactly,
    range_bytes,
    shown,
)

FINAL_CODES = frozenset({"listing_unsupported", "store_read_only"})
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a store is asked again.

    A call is made at most `attempts` times; a read that goes on counts anew from each byte that
    came. Before try n it waits a random time up to `first_seconds` * 2**(n - 2), at most
    `most_seconds`, or as long as the store asked, at most `asked_seconds`. No call begins after
    `deadline_seconds`, to which a second is added for each `bytes_per_second` of a body; the time
    that a reader takes with its chunks does not count.
    """

    attempts: int = 6
    first_seconds: float = 0.2
    most_seconds: float = 5.0
    asked_seconds: float = 20.0
    deadline_seconds: float = 60.0
    bytes_per_second: int = 256 * 1024


class PatientStore:
    """A store that is asked again. Any thread may use it.

    `clock` tells seconds, `wait` sleeps for some, `chance` is random in [0, 1). What `wait`
    raises goes to the caller, so that a waiting call can be called off.
    """

    def __init__(
        self,
        backend: ObjectStore,
        patience: Patience | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._backend = backend
        self._patience = patience or Patience()
        self._clock = clock
        self._wait = wait
        self._chance = chance

    @property
    def url(self) -> str:
        """What errors and logs call it."""
        return self._backend.url

    def stat(self, key: str) -> StoredObject:
        """Look one object up; raises as the backend does, its last failure when it gives up."""
        return self._call(lambda: self._backend.stat(key))

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Return the objects under a prefix; raises as `stat` does."""
        return self._call(lambda: self._backend.list(prefix, most=most))

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield a range; a body that broke goes on at the byte where it did, in the same version.

        Raises ObjectChanged when that version is gone by then, else as `stat` does.
        """
        left = range_bytes(found, start, length)
        tries = self._tries(left)
        while left:
            try:
                chunks = self._chunks(found, start, left, tries)
                for chunk in exactly(chunks, left, self.url, found.key):
                    start, left = start + len(chunk), left - len(chunk)
                    yield chunk
                return
            except StoreFailed as error:
                tries.failed(error)

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Make an object; the content is read again from its start for each try.

        ObjectExists may mean this very call: a try can succeed and its answer be lost. Only who
        knows what the object should hold can tell whether another wrote it.
        """

        def attempt() -> None:
            content.seek(0)
            self._backend.write(key, content, size_bytes)

        self._call(attempt, size_bytes)

    def _call(self, attempt: Callable[[], Result], body_bytes: int = 0) -> Result:
        tries = self._tries(body_bytes)
        while True:
            try:
                with tries:
                    return attempt()
            except StoreFailed as error:
                tries.failed(error)

    def _chunks(
        self, found: StoredObject, start: int, length: int, tries: _Tries
    ) -> Iterator[bytes]:
        with tries:
            body = self._backend.read(found, start, length)
        try:
            while True:
                with tries:
                    chunk = next(body, None)
                if chunk is None:
                    return
                if chunk:
                    tries.progressed(found.key)
                    yield chunk
        finally:
            if isinstance(body, Generator):
                body.close()

    def _tries(self, body_bytes: int) -> _Tries:
        return _Tries(self, body_bytes)


class _Tries:
    """The tries of one call, and the time it spent: in the store, within `with`, and waiting."""

    def __init__(self, store: PatientStore, body_bytes: int) -> None:
        self._store = store
        patience = store._patience
        self._most_seconds = patience.deadline_seconds + body_bytes / patience.bytes_per_second
        self._spent_seconds = 0.0
        self._failures_in_a_row = 0
        self._failures = 0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._store._clock()

    def __exit__(self, *_: Any) -> None:
        self._spent_seconds += self._store._clock() - self._began

    def progressed(self, key: str) -> None:
        """Take note of a chunk; raises StoreFailed when the body comes too slowly."""
        self._failures_in_a_row = 0
        if self._spent_seconds > self._most_seconds:
            url, seconds = self._store.url, self._spent_seconds
            message = f"{shown(url, key)} is not there after {seconds:.0f} seconds"
            hint = "see whether the network and the store are as fast as they should be"
            raise _GivenUp("store_too_slow", message, hint)

    def failed(self, error: StoreFailed) -> None:
        """Wait for the next try; raises the error, which tells how often it was tried, if none."""
        if isinstance(error, StoreDenied | _GivenUp) or error.code in FINAL_CODES:
            raise error
        self._failures += 1
        self._failures_in_a_row += 1
        seconds = self._seconds_before_next(error)
        is_last = self._failures_in_a_row >= self._store._patience.attempts
        if is_last or self._spent_seconds + seconds > self._most_seconds:
            message = f"{error.message}; given up after {self._failures} failures"
            raise StoreFailed(
                error.code, message, error.hint, after_seconds=error.after_seconds
            ) from error
        with self:
            self._store._wait(seconds)

    def _seconds_before_next(self, error: StoreFailed) -> float:
        patience = self._store._patience
        most = patience.first_seconds * 2.0 ** (self._failures_in_a_row - 1)
        jitter = min(most, patience.most_seconds) * self._store._chance()
        return max(min(error.after_seconds, patience.asked_seconds), jitter)


class _GivenUp(StoreFailed):
    """A failure of a call as a whole."""
