"""A folder as a store. Keys are relative paths; nothing outside the folder is ever opened or told.

Symlinks are followed as long as they stay inside, except that a listing does not go into folders
that are links. Files that are being written (`.<name>.<random>.tmp`) are not listed.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from offloader.errors import SourceUnavailable
from offloader.segment.temporary import TEMPORARY_GLOB, open_temporary, remove_abandoned
from offloader.stores.store import (
    READ_BYTES,
    ObjectMissing,
    StoreDenied,
    StoredObject,
    StoreFailed,
    bucket_missing,
    changed,
    check_key,
    denied,
    exactly,
    exists,
    missing,
    range_bytes,
)

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EEXIST)
_FILE_MODE = 0o644
_WRITE = "write files"
_LEFT_OUT = ("key_invalid", "key_leaves_store")


class LocalStore:
    """The files below one folder. Any thread may use it; it holds nothing open."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(os.path.realpath(root))

    @property
    def url(self) -> str:
        """What errors and logs call it: the folder."""
        return str(self._root).rstrip("/")

    def stat(self, key: str) -> StoredObject:
        """Look a file up; raises ObjectMissing, also for a folder, and StoreFailed."""
        with self._translated(key, "read files"):
            return _found(key, self._path(key).stat())

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Return the files whose paths begin with `prefix`; one that goes meanwhile is left out."""
        folder, slash, begin = prefix.rpartition("/")
        if slash and not _is_normal(folder):
            return []
        with self._translated(prefix, "list folders"):
            if not self._root.is_dir():
                raise bucket_missing(self.url)
            if not Path(os.path.realpath(self._root / folder)).is_relative_to(self._root):
                return []
            return list(islice(self._walk(folder + slash, begin), most + 1))

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield a range; raises ObjectChanged when the file was another before or after."""
        check_key(self.url, found.key)
        wanted = range_bytes(found, start, length)
        return self._body(found, start, wanted) if wanted else iter(())

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Make a file: written beside its place, then linked into it, which never overwrites."""
        with self._translated(key, _WRITE):
            path = self._path(key)
            if not self._root.is_dir():
                raise bucket_missing(self.url)
            if path.exists():
                raise exists(self.url, key)
            _remove_abandoned(path)
            descriptor, temporary = open_temporary(path, _FILE_MODE)
            try:
                with os.fdopen(descriptor, "wb") as opened:
                    _copy(content, opened, size_bytes)
                    self._link(temporary, path, key)
            finally:
                temporary.unlink(missing_ok=True)

    def _body(self, found: StoredObject, start: int, wanted: int) -> Iterator[bytes]:
        try:
            with self._translated(found.key, "read files"), self._opened(found.key) as opened:
                self._check_unchanged(opened, found)
                opened.seek(start)
                yield from exactly(_pieces(opened, wanted), wanted, self.url, found.key)
                self._check_unchanged(opened, found)
        except ObjectMissing:
            raise changed(self.url, found.key) from None

    def _opened(self, key: str) -> FileIO:
        """Open a file; what has become a pipe meanwhile is not waited for."""
        path = self._path(key)
        return FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))

    def _check_unchanged(self, opened: FileIO, found: StoredObject) -> None:
        if _found(found.key, os.fstat(opened.fileno())).version != found.version:
            raise changed(self.url, found.key)

    def _link(self, temporary: Path, path: Path, key: str) -> None:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise exists(self.url, key) from None

    def _path(self, key: str) -> Path:
        """Return where a key lies; raises StoreDenied for one that leads out of the folder."""
        check_key(self.url, key)
        if not _is_normal(key):
            hint = "write a relative path without empty parts, `.` and `..`"
            raise StoreDenied("key_invalid", f"{self.url}: this is not a path in it", hint)
        path = Path(os.path.realpath(self._root / key))
        if not path.is_relative_to(self._root):
            hint = "copy the file into the folder instead of linking to it"
            raise StoreDenied("key_leaves_store", f"{self.url}/{key} is a link out of it", hint)
        return path

    def _walk(self, path: str, begin: str = "") -> Iterator[StoredObject]:
        """Yield the files of a folder in the order of their keys: `a.b`, `a/b`, `a0`."""
        try:
            with os.scandir(self._root / path) as scanned:
                names = sorted(
                    f"{one.name}/" if one.is_dir(follow_symlinks=False) else one.name
                    for one in scanned
                    if one.name.startswith(begin)
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if name.endswith("/"):
                yield from self._walk(path + name)
            elif not fnmatch(name, TEMPORARY_GLOB):
                yield from self._listed(path + name)

    def _listed(self, key: str) -> Iterator[StoredObject]:
        try:
            yield self.stat(key)
        except ObjectMissing:
            return
        except StoreDenied as error:
            if error.code not in _LEFT_OUT:
                raise

    @contextmanager
    def _translated(self, key: str, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(key, what, error) from error

    def _failure(self, key: str, what: str, error: OSError) -> SourceUnavailable:
        if error.errno == errno.EROFS:
            hint = "mount the folder so that it can be written"
            return StoreDenied("store_read_only", f"{self.url} can only be read", hint)
        if error.errno in _ABSENT and what != _WRITE:
            return missing(self.url, key)
        if error.errno in _ABSENT or error.errno in _REFUSED:
            return denied(self.url, what)
        hint = "check the volume; it is tried again"
        return StoreFailed("store_unreachable", f"{self.url}: {error.strerror}", hint)


def _is_normal(path: str) -> bool:
    """Tell whether a relative path stays in its folder, and has no other way to be written."""
    outside = path in (".", "..") or path.startswith(("/", "../"))
    return posixpath.normpath(path) == path and not outside


def _found(key: str, status: os.stat_result) -> StoredObject:
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a file")
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    version = "-".join(f"{part:x}" for part in parts)
    return StoredObject(key, status.st_size, version, status.st_mtime)


def _pieces(opened: BinaryIO | FileIO, most_bytes: int) -> Iterator[bytes]:
    while most_bytes and (piece := opened.read(min(READ_BYTES, most_bytes))):
        most_bytes -= len(piece)
        yield piece


def _copy(content: BinaryIO, opened: BinaryIO, size_bytes: int) -> None:
    content.seek(0)
    for piece in _pieces(content, size_bytes + 1):
        opened.write(piece)
    if opened.tell() != size_bytes:
        raise ValueError(f"the content does not hold the {size_bytes} bytes it should")
    opened.flush()
    os.fsync(opened.fileno())


def _remove_abandoned(path: Path) -> None:
    """Remove what writers of this very file left when they died."""
    for left in path.parent.glob(TEMPORARY_GLOB):
        if left.name.startswith(f".{path.name}."):
            remove_abandoned(left)
