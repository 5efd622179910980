"""Write one part: stream buffers to a temporary file beside the target, then rename it.

No fsync: a file that a crash tore is found by its checksums at load and rebuilt, and syncing
every part would hold up each build for as long as the disk takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from offloader.segment.layout import (
    HEADER_BYTES,
    SLICE_BYTES,
    Section,
    aligned,
    canonical_json,
    pack_header,
)
from offloader.segment.temporary import open_temporary

_MODE = 0o600


class PartWriter:
    """Write the part at `path`, checksums on the fly; nothing appears there before `finish`.

    Use it as a context manager: leaving without `finish`, by an error such as a full disk
    (OSError, ENOSPC), removes the temporary file `.<name>.<random>.tmp`. That is locked meanwhile,
    so that a sweep on the same volume lets it be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sections: list[Section] = []
        self._offset = HEADER_BYTES
        self._temporary: Path | None
        self._file, self._temporary = open_temporary(path, _MODE)
        os.lseek(self._file, HEADER_BYTES, os.SEEK_SET)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def add(self, name: str, array: npt.NDArray[Any]) -> None:
        """Append a one-dimensional array as the buffer `name`."""
        self.add_pieces(name, array.dtype, (array,))

    def add_pieces(
        self, name: str, dtype: npt.DTypeLike, pieces: Iterable[npt.NDArray[Any]]
    ) -> None:
        """Append arrays of `dtype`, one behind the other, as the buffer `name`."""
        hasher = xxhash.xxh3_128()
        length = 0
        for piece in pieces:
            for block in _blocks(np.ascontiguousarray(piece, dtype)):
                hasher.update(block)
                _write_all(self._file, block)
                length += len(block)
        end = aligned(self._offset + length)
        padding = bytes(end - self._offset - length)
        hasher.update(padding)
        _write_all(self._file, memoryview(padding))
        self._sections.append(
            Section(name, self._offset, length, np.dtype(dtype).name, hasher.hexdigest())
        )
        self._offset = end

    def finish(self, fields: Mapping[str, object]) -> int:
        """Write descriptor and header, put the file in place, return its size in bytes.

        `fields` are the descriptor's facts beside `buffers`.
        """
        listed = [
            {
                "name": s.name,
                "offset": s.offset,
                "length": s.length,
                "dtype": s.dtype,
                "xxh3_128": s.checksum,
            }
            for s in self._sections
        ]
        descriptor = canonical_json({**fields, "buffers": listed})
        _write_all(self._file, memoryview(descriptor))
        os.lseek(self._file, 0, os.SEEK_SET)
        _write_all(self._file, memoryview(pack_header(self._offset, descriptor)))
        assert self._temporary is not None
        self._temporary.replace(self._path)
        self._temporary = None
        os.close(self._file)
        return self._offset + len(descriptor)

    def abort(self) -> None:
        """Remove the temporary file; does nothing after `finish`."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None
            os.close(self._file)


def _blocks(array: npt.NDArray[Any]) -> Iterator[memoryview]:
    view = array.view(np.uint8).data
    for at in range(0, len(view), SLICE_BYTES):
        yield view[at : at + SLICE_BYTES]


def _write_all(file: int, block: memoryview) -> None:
    done = 0
    while done < len(block):
        done += os.write(file, block[done:])
