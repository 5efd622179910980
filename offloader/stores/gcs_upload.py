"""The body of an upload to GCS: one request of two parts, what the object shall be and its bytes.

That is the JSON API's `uploadType=multipart`. One request is whole or nothing, the store compares
the bytes with the CRC32C that stands before them, and however large an object is, little of it is
in memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from secrets import token_hex
from typing import BinaryIO

from offloader.stores.checksum import new_hash

_PIECE = 256 * 1024


class Upload:
    """A body that can be sent more than once: each time it is read from the content's start.

    Raises ValueError when the content does not hold `size_bytes` bytes.
    """

    def __init__(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        self.crc32c = _crc32c(content, size_bytes)
        said = json.dumps({"name": key, "crc32c": self.crc32c}).encode()
        self._boundary = token_hex(16).encode()
        self._head = (
            b"--%b\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n%b\r\n"
            b"--%b\r\ncontent-type: application/octet-stream\r\n\r\n"
        ) % (self._boundary, said, self._boundary)
        self._tail = b"\r\n--%b--\r\n" % self._boundary
        self._content = content
        self._size_bytes = size_bytes

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return f"multipart/related; boundary={self._boundary.decode()}"

    def __len__(self) -> int:
        return len(self._head) + self._size_bytes + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self._content.seek(0)
        yield self._head
        yield from _pieces(self._content, self._size_bytes)
        yield self._tail


def _crc32c(content: BinaryIO, size_bytes: int) -> str:
    """Return the CRC32C of a content as GCS writes it: base64 of its four bytes."""
    content.seek(0)
    checksum, seen_bytes = new_hash("crc32c"), 0
    for piece in _pieces(content, size_bytes + 1):
        checksum.update(piece)
        seen_bytes += len(piece)
    if seen_bytes != size_bytes:
        raise ValueError(f"the content does not hold the {size_bytes} bytes it should")
    return base64.b64encode(checksum.digest()).decode()


def _pieces(content: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    while most_bytes and (piece := content.read(min(_PIECE, most_bytes))):
        most_bytes -= len(piece)
        yield piece
