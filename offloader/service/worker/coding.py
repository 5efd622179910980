"""Content codings (RFC 9110, 8.4.1): a body made smaller, the same bytes for the same body.

The levels are the fastest of each: on 50 KB of nested JSON the next ones save a tenth of the
bytes for a third more time (`python -m dev.bench.codings`). A body under LEAST_BYTES fits one
packet together with its headers either way.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping

import zstandard

GZIP, ZSTD = "gzip", "zstd"
GZIP_LEVEL, ZSTD_LEVEL = 1, 1
LEAST_BYTES = 1024

_GZIP_WINDOW_BITS = 31  # 15, and a gzip header without time and name (zlib's manual)

# What decides a coded body's bytes: part of its ETag, so that it changes with a library.
CODING_VERSIONS: Mapping[str, str] = {
    GZIP: f"gzip/{zlib.ZLIB_RUNTIME_VERSION}/{GZIP_LEVEL}",
    ZSTD: f"zstd/{'.'.join(map(str, zstandard.ZSTD_VERSION))}/{ZSTD_LEVEL}",
}


class _Compressors(threading.local):
    """One compressor a thread: making one costs more than a small body, sharing one is unsafe."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)


_compressors = _Compressors()


def compress(body: bytes, coding: str) -> tuple[bytes, str]:
    """Return a body and the coding that was applied to it, `""` when it stays as it is.

    `coding` is "", "gzip" (RFC 1952, mtime 0) or "zstd" (RFC 8878). A body of less than
    LEAST_BYTES, or one that would not shrink, stays as it is. Safe from several threads; raises
    ValueError for another coding.
    """
    if not coding or len(body) < LEAST_BYTES:
        return body, ""
    if coding == ZSTD:
        coded = _compressors.zstd.compress(body)
    elif coding == GZIP:
        coded = zlib.compress(body, GZIP_LEVEL, _GZIP_WINDOW_BITS)
    else:
        raise ValueError(f"no content coding {coding}: use gzip or zstd")
    return (coded, coding) if len(coded) < len(body) else (body, "")
