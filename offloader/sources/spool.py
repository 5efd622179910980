"""A spool: files of a snapshot on their way from stores, downloaded ahead of the one being read.

    feeder (one thread)      begins downloads in order while there is room, ends them in order
    pool (eight threads)     ranges, first those of the file that is wanted next
    reader                   takes file by file; each is removed once it was read

On disk are at most the file being read and, ahead of it, `most_bytes` or the next file alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread, current_thread
from types import TracebackType

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.file_problems import changed, checksum_differs
from offloader.sources.remote import RemoteFile
from offloader.stores.download import AT_ONCE, RANGE_BYTES, ContentDiffers, Download
from offloader.stores.open import Stores
from offloader.stores.store import ObjectChanged, ObjectMissing

MOST_FILES = 64
_END_SECONDS = 1.0


class Spool:
    """Files on their way, from the beginning of the `with` block to its end.

    They are taken by `next_file` in the order given. `on_download` is told of the bytes of each
    file that arrived, `on_bytes` of bytes as they arrive, by several threads.
    """

    def __init__(
        self,
        files: Sequence[RemoteFile],
        stores: Stores,
        folder: Path,
        *,
        most_bytes: int,
        at_once: int = AT_ONCE,
        range_bytes: int = RANGE_BYTES,
        on_download: Callable[[int], None] = lambda _: None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._files = files
        self._stores = stores
        self._folder = folder
        self._most_bytes = most_bytes
        self._range_bytes = range_bytes
        self._on_download = on_download
        self._on_bytes = on_bytes
        self._changed = Condition()
        self._arrived: deque[tuple[RemoteFile, Path] | BaseException] = deque()
        self._ahead = (0, 0)  # files and bytes begun and not taken yet
        self._is_over = False
        self._running: deque[tuple[RemoteFile, Path, Download]] = deque()
        self._pool = ThreadPoolExecutor(at_once, "download")
        self._feeder = Thread(target=self._feed, name="spool feeder", daemon=True)

    def __enter__(self) -> Spool:
        if self._files:
            self._feeder.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_over = True
            for _, _, download in self._running:
                download.stop()
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._files:  # a store that hangs is not waited for: its thread ends by itself
            self._feeder.join(_END_SECONDS)
        self._drop()

    @contextmanager
    def next_file(self) -> Iterator[Path]:
        """Wait for the next file and give its path; it is removed after the block.

        Raises SnapshotRefused when its checksum is not the manifest's, SourceUnavailable when it
        changed (`file_changed`) or does not arrive, OSError when the disk takes no more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._arrived)
            taken = self._arrived.popleft()
            if isinstance(taken, BaseException):
                raise taken
            file, path = taken
            self._count(-1, -file.found.size_bytes)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _feed(self) -> None:
        try:
            self._feed_all()
        except BaseException as error:
            with self._changed:
                self._arrived.append(error)
                self._changed.notify_all()
        finally:
            self._drop()

    def _feed_all(self) -> None:
        waiting = deque(enumerate(self._files))
        while waiting or self._running:
            while waiting and self._may_begin(waiting[0][1]):
                index, file = waiting.popleft()
                self._begin(file, self._folder / str(index))
            if self._is_over:
                return
            self._finish_next()

    def _may_begin(self, file: RemoteFile) -> bool:
        """Tell whether there is room; waits for it when nothing is under way."""
        with self._changed:
            if not self._running:
                self._changed.wait_for(lambda: self._is_over or self._has_room(file))
            return self._has_room(file) and not self._is_over

    def _has_room(self, file: RemoteFile) -> bool:
        files, size_bytes = self._ahead
        fits = size_bytes + file.found.size_bytes <= self._most_bytes
        return files == 0 or (fits and files < MOST_FILES)

    def _begin(self, file: RemoteFile, path: Path) -> None:
        download = Download(
            self._stores.at(file.at),
            file.found,
            path,
            self._pool,
            range_bytes=self._range_bytes,
            wanted=file.file.checksum,
            on_bytes=self._on_bytes,
        )
        with self._changed:
            self._count(1, file.found.size_bytes)
            self._running.append((file, path, download))

    def _finish_next(self) -> None:
        file, path, download = self._running[0]
        try:
            download.finish()
        except (ObjectChanged, ObjectMissing) as error:
            raise changed(file.file.path) from error
        except ContentDiffers as error:
            raise _refused(file, error) from error
        finally:
            with self._changed:
                self._running.popleft()
        self._on_download(file.found.size_bytes)
        with self._changed:
            self._arrived.append((file, path))
            self._changed.notify_all()

    def _count(self, files: int, size_bytes: int) -> None:
        self._ahead = (self._ahead[0] + files, self._ahead[1] + size_bytes)
        self._changed.notify_all()

    def _drop(self) -> None:
        """Remove what will not be read; what is under way is its feeder's to end."""
        with self._changed:
            if current_thread() is self._feeder:
                while self._running:
                    self._running.popleft()[2].abandon()
            while self._is_over and self._arrived:
                arrived = self._arrived.popleft()
                if not isinstance(arrived, BaseException):
                    arrived[1].unlink(missing_ok=True)


def _refused(file: RemoteFile, error: ContentDiffers) -> SnapshotRefused | SourceUnavailable:
    problem = checksum_differs(file.file, (error.algorithm, error.found))
    return SnapshotRefused.of([problem]) if problem else error
