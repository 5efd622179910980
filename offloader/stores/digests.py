"""Checksums as stores state them, in base64, as the pairs that manifests and StoredObject have."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

# The first that is stated is compared; CRC32C takes the least time.
SIZES = {"crc32c": 4, "md5": 16, "sha256": 32}


def best_checksum(stated: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (algorithm, lowercase hex) of the best checksum among algorithm: base64.

    One that is not that many bytes counts as not stated.
    """
    for algorithm, size_bytes in SIZES.items():
        found = _decoded(stated.get(algorithm, ""))
        if len(found) == size_bytes:
            return algorithm, found.hex()
    return None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
