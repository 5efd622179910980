"""Look into Arrow arrays: their values, validity and text as numpy views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from offloader.segment.build_sort import Bools


def cast(chunk: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return `chunk` in the type `wanted`, untouched when it has it already."""
    return chunk if chunk.type == wanted else chunk.cast(wanted)


def valid_of(chunk: pa.Array) -> Bools | None:
    """Return which values are not null, bool (len(chunk),); None when all are valid."""
    if chunk.null_count == 0:
        return None
    found: Bools = chunk.is_valid().to_numpy(zero_copy_only=False)
    return found


def buffer_values(chunk: pa.Array, dtype: npt.DTypeLike, words: int = 1) -> npt.NDArray[Any]:
    """Return the values as they lie in memory, null slots included; a view of the Arrow buffer."""
    buffer = chunk.buffers()[1]
    if buffer is None or len(chunk) == 0:
        return np.empty(0, dtype)
    offset = chunk.offset * words * np.dtype(dtype).itemsize
    return np.frombuffer(buffer, dtype, len(chunk) * words, offset)


def join_valid(valid: Sequence[Bools | None], lengths: Sequence[int]) -> Bools | None:
    """Join chunks of the given lengths, where None stands for all valid."""
    if all(part is None for part in valid):
        return None
    parts = zip(valid, lengths, strict=True)
    return np.concatenate([np.ones(n, np.bool_) if v is None else v for v, n in parts])


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return offsets (from 0, int64) and bytes (uint8) of a large binary or string array."""
    if len(array) == 0:
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    _, ends, text = array.buffers()
    size = np.dtype(np.int64).itemsize
    offsets = np.frombuffer(ends, np.int64, len(array) + 1, array.offset * size)
    first, last = int(offsets[0]), int(offsets[-1])
    if text is None or first == last:
        return offsets - first, np.empty(0, np.uint8)
    return offsets - first, np.frombuffer(text, np.uint8, last - first, first)
