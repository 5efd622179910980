"""Download one object to a file: ranges side by side, verified, whole or not at all.

The store goes on where a body broke (`patient.py`). Here a range is asked for once, and the whole
object once more when its bytes are not those of its checksum: a damage on the way is mended, one
that lies in the store is told.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

from offloader.errors import SourceUnavailable
from offloader.segment.temporary import open_temporary
from offloader.stores.checksum import Hash, new_hash
from offloader.stores.store import (
    READ_BYTES,
    ObjectChanged,
    ObjectStore,
    StoredObject,
    StoreFailed,
    cut_short,
    overlong,
    shown,
)

RANGE_BYTES = 8 << 20
AT_ONCE = 8
LOOKS = 3
_MODE = 0o600


class ContentDiffers(SourceUnavailable):
    """An object is not what was wanted: its checksum by `algorithm` is `found`."""

    def __init__(self, name: str, algorithm: str, found: str, wanted: str) -> None:
        message = f"{name}: its {algorithm} is {found}, expected was {wanted}"
        super().__init__("object_content_differs", message, "see who wrote it, and publish anew")
        self.algorithm = algorithm
        self.found = found


class ObjectTooLarge(SourceUnavailable):
    """An object is larger than whoever reads it allows, and was not read."""


def download(
    store: ObjectStore,
    found: StoredObject,
    target: Path,
    *,
    at_once: int = AT_ONCE,
    range_bytes: int = RANGE_BYTES,
    wanted: tuple[str, str] | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Make the file `target` out of this very version of an object, or raise and leave no file.

    Takes about `at_once` * READ_BYTES of memory. `wanted` is (algorithm, lowercase hex) of the
    bytes, compared beside the store's own checksum. `on_bytes` is told of bytes as they arrive, by
    several threads. Raises ObjectChanged, ContentDiffers, StoreFailed (`object_checksum_differs`
    when the store's own differs twice), OSError when the file cannot be written.
    """
    ranges = -(-found.size_bytes // range_bytes)
    pool = ThreadPoolExecutor(max(1, min(at_once, ranges)), "download")
    try:
        Download(
            store, found, target, pool, range_bytes=range_bytes, wanted=wanted, on_bytes=on_bytes
        ).finish()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # what still runs ends at its next chunk


class Download:
    """One object on its way to a file: begun when it is made, by the threads of a pool.

    Whoever makes one calls `finish` or `abandon`, once. A pool takes ranges in order, so one that
    several downloads share ends them in the order they began.
    """

    def __init__(
        self,
        store: ObjectStore,
        found: StoredObject,
        target: Path,
        pool: Executor,
        *,
        range_bytes: int = RANGE_BYTES,
        wanted: tuple[str, str] | None = None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._found = found
        self._target = target
        self._pool = pool
        self._range_bytes = range_bytes
        self._wanted = wanted
        self._on_bytes = on_bytes
        self._is_stopped = False
        self._error: BaseException | None = None
        self._ranges: deque[tuple[int, Future[None]]] = deque()
        self._descriptor, self._temporary = open_temporary(target, _MODE)
        try:
            os.ftruncate(self._descriptor, found.size_bytes)
            self._begin()
        except BaseException:
            self.abandon()
            raise

    def stop(self) -> None:
        """Have `finish` raise soon; any thread may call it."""
        self._is_stopped = True

    def finish(self) -> None:
        """Wait for all bytes, compare them, and put the file in place; raises as `download`."""
        try:
            try:
                self._verify()
            except (StoreFailed, ContentDiffers) as error:
                if error.code not in ("object_checksum_differs", "object_content_differs"):
                    raise
                self._begin()
                self._verify()
            self._temporary.replace(self._target)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Need the object no longer: what is there of it is removed, what runs ends soon."""
        self._is_stopped = True
        while self._ranges:
            self._ranges.popleft()[1].cancel()
        self._temporary.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _begin(self) -> None:
        for start in range(0, self._found.size_bytes, self._range_bytes):
            self._ranges.append((start, self._pool.submit(self._fetch, start)))

    def _fetch(self, start: int) -> None:
        """Write one range; a failure stops the others, for the file is of no use without it."""
        try:
            if not self._is_stopped:
                self._write_range(start)
        except BaseException as error:
            self._error = self._error or error
            self._is_stopped = True

    def _write_range(self, start: int) -> None:
        end = min(start + self._range_bytes, self._found.size_bytes)
        chunks = self._store.read(self._found, start, end - start)
        # A descriptor of its own: that of the download may be closed, and its number reused.
        file = os.open(self._temporary, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            for chunk in chunks:
                if self._is_stopped:
                    return
                if start + len(chunk) > end:
                    raise overlong(self._store.url, self._found.key, end - start)
                _write_all(file, chunk, start)
                start += len(chunk)
                self._on_bytes(len(chunk))
        finally:
            os.close(file)
        if start != end:
            raise cut_short(self._store.url, self._found.key, end - start)

    def _verify(self) -> None:
        """Follow the ranges with the checksums, each byte once; raises when one differs."""
        expected = [one for one in (self._found.checksum, self._wanted) if one is not None]
        sums = {algorithm: new_hash(algorithm) for algorithm, _ in expected}
        while self._ranges:
            start, arrived = self._ranges.popleft()
            arrived.result()
            if self._is_stopped:
                raise self._error or self._called_off()
            self._follow(sums, start)
        found = {algorithm: one.digest().hex() for algorithm, one in sums.items()}
        _compare(self._store, self._found, found)
        if self._wanted is not None and found[self._wanted[0]] != self._wanted[1]:
            name = shown(self._store.url, self._found.key)
            raise ContentDiffers(name, self._wanted[0], found[self._wanted[0]], self._wanted[1])

    def _follow(self, sums: dict[str, Hash], start: int) -> None:
        if not sums:
            return
        end = min(start + self._range_bytes, self._found.size_bytes)
        while start < end:
            chunk = os.pread(self._descriptor, min(READ_BYTES, end - start), start)
            if not chunk:
                raise OSError(f"{self._temporary}: it was cut short")
            for one in sums.values():
                one.update(chunk)
            start += len(chunk)

    def _called_off(self) -> SourceUnavailable:
        name = shown(self._store.url, self._found.key)
        return SourceUnavailable("download_called_off", f"{name} is not needed any more")


def read_whole(store: ObjectStore, key: str, most_bytes: int) -> tuple[StoredObject, bytes]:
    """Look a small object up and read that version, anew when it is overwritten in between.

    Raises ObjectMissing, ObjectChanged when it is overwritten again and again, ObjectTooLarge,
    StoreFailed.
    """
    for _ in range(LOOKS - 1):
        found = store.stat(key)
        try:
            return found, read_found(store, found, most_bytes)
        except ObjectChanged:
            continue
    found = store.stat(key)
    return found, read_found(store, found, most_bytes)


def read_found(store: ObjectStore, found: StoredObject, most_bytes: int) -> bytes:
    """Read a small object that was looked up; raises as `read_whole`, ObjectChanged at once."""
    if found.size_bytes > most_bytes:
        name = shown(store.url, found.key)
        message = f"{name} has {found.size_bytes} bytes, at most {most_bytes} are read"
        raise ObjectTooLarge("object_too_large", message, "make it smaller, or split it")
    content = b"".join(store.read(found))
    if len(content) != found.size_bytes:
        raise cut_short(store.url, found.key, found.size_bytes - len(content))
    if found.checksum is not None:
        algorithm = found.checksum[0]
        one = new_hash(algorithm)
        one.update(content)
        _compare(store, found, {algorithm: one.digest().hex()})
    return content


def _compare(store: ObjectStore, found: StoredObject, sums: dict[str, str]) -> None:
    if found.checksum is not None and sums[found.checksum[0]] != found.checksum[1]:
        name, algorithm = shown(store.url, found.key), found.checksum[0]
        message = f"{name}: the {algorithm} of what arrived is not the one the store tells"
        hint = "it is tried again; see what proxies and networks in between do"
        raise StoreFailed("object_checksum_differs", message, hint)


def _write_all(descriptor: int, chunk: bytes, offset: int) -> None:
    view = memoryview(chunk)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
