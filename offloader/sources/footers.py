"""Footers of Parquet files, kept: who scans a file again asks its store for the rows only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from offloader.sources.ranged_file import RangedFile

TAIL_BYTES = 64 << 10  # read at once: most footers are shorter
MAX_FOOTER_BYTES = 64 << 20
_MAGIC, _MAGIC_BYTES = b"PAR1", 4
_LENGTH_BYTES = 4


class BadFooterError(ValueError):
    """A file does not end as a Parquet file does, or its footer is larger than 64 MiB."""


class Footers:
    """Ends of files by what names their version, the least recently used go first.

    At most `most_bytes` are kept. Any thread may use it.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def give(self, name: Hashable, file: RangedFile, size_bytes: int) -> None:
        """Have `file`, of this size and this name and version, hold its footer.

        Raises BadFooterError, and what the store raises.
        """
        with self._lock:
            tail = self._kept.get(name)
            if tail is not None:
                self._kept.move_to_end(name)
        if tail is None:
            tail = read_footer(file, size_bytes)
            self._keep(name, tail)
        file.hold(size_bytes - len(tail), tail)

    def _keep(self, name: Hashable, tail: bytes) -> None:
        if len(tail) > self._most_bytes // 4:
            return
        with self._lock:
            if name not in self._kept:
                self._kept[name] = tail
                self.size_bytes += len(tail)
            while self.size_bytes > self._most_bytes:
                self.size_bytes -= len(self._kept.popitem(last=False)[1])


def read_footer(file: RangedFile, size_bytes: int) -> bytes:
    """Return a file's last bytes, from the footer on; at least TAIL_BYTES of a longer file."""
    file.seek(max(size_bytes - TAIL_BYTES, 0))
    tail = file.read()
    end = _LENGTH_BYTES + _MAGIC_BYTES
    if len(tail) < end or not tail.endswith(_MAGIC):
        raise BadFooterError("it does not end as a Parquet file does")
    length = int.from_bytes(tail[-end:-_MAGIC_BYTES], "little") + end
    if length > min(size_bytes, MAX_FOOTER_BYTES):
        raise BadFooterError(f"its footer has {length} bytes")
    if length <= len(tail):
        return tail
    file.seek(size_bytes - length)
    return file.read(length - len(tail)) + tail
