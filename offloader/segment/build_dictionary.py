"""Make codes over one sorted dictionary from many chunks of texts or wide decimals.

Two ways to the same result: hash first where values repeat, sort at once where most values occur
only once (hashing those costs more time and memory than it saves). A sample decides.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from offloader.segment.build_arrow import buffer_values, cast, text_buffers, valid_of
from offloader.segment.build_sort import Bools

SAMPLE_VALUES = 1 << 16
# Fewer texts are found as fast without a hash table; hashing more takes seconds of a build.
MIN_INDEXED_TEXTS, MAX_INDEXED_TEXTS = 64, 1 << 20
_Codes = npt.NDArray[np.integer]


def encode_chunk(chunk: pa.Array, arrow: pa.DataType) -> tuple[pa.Array, _Codes, Bools | None]:
    """Return a chunk as codes over a dictionary of type `arrow`, and which rows are not null.

    Every entry is held by some row, but entries may repeat. A null row's code means nothing.
    """
    if pa.types.is_dictionary(chunk.type) and chunk.dictionary.null_count:
        chunk = chunk.dictionary_decode()
    if not pa.types.is_dictionary(chunk.type):
        chunk = cast(chunk, arrow)
        if is_mostly_distinct(pa.chunked_array([chunk])):
            return _as_its_own_dictionary(chunk)
        chunk = chunk.dictionary_encode()
    valid = valid_of(chunk)
    codes = buffer_values(chunk.indices, chunk.indices.type.to_pandas_dtype())
    codes = codes if valid is None else np.where(valid, codes, codes.dtype.type())
    return *_only_used(cast(chunk.dictionary, arrow), codes, valid), valid


def sorted_union(
    dictionaries: list[pa.Array], arrow: pa.DataType
) -> tuple[pa.Array, list[npt.NDArray[np.int64]]]:
    """Merge dictionaries into one sorted; return it and, per input, each entry's place in it.

    Empties the list as soon as it can: the inputs may be as large as the column.
    """
    ends = np.cumsum([len(dictionary) for dictionary in dictionaries], dtype=np.int64)
    entries = pa.chunked_array(dictionaries, arrow)
    dictionaries.clear()
    places: npt.NDArray[np.int64] | None = None
    if is_mostly_distinct(entries):
        union = pa.concat_arrays(entries.chunks)
    else:
        union, places = _hashed(entries)
    del entries
    union, ranks = _sorted_distinct(union)
    return union, np.split(ranks if places is None else ranks.take(places), ends)[: len(ends)]


def is_mostly_distinct(values: pa.ChunkedArray) -> bool:
    """Tell whether about half the values or more are different, from the repeats in a sample.

    Of s values drawn from d different ones about s * s / 2d repeat. Few values never count.
    """
    if len(values) <= SAMPLE_VALUES:
        return False
    # A fixed seed: the sample decides how fast a segment is made, never what is in it.
    drawn = np.random.default_rng(0).integers(0, len(values), SAMPLE_VALUES)
    sample = _take(values, np.unique(drawn))
    size = len(sample) - sample.null_count
    repeats = size - pc.count_distinct(sample).as_py()
    return bool(repeats * len(values) < size * size)


def _take(values: pa.ChunkedArray, rows: npt.NDArray[np.int64]) -> pa.ChunkedArray:
    """Take rows chunk by chunk: Arrow itself would join all chunks to do it."""
    ends = np.cumsum([len(chunk) for chunk in values.chunks])
    split = np.split(rows, rows.searchsorted(ends[:-1]))
    starts = [0, *ends[:-1].tolist()]
    parts = zip(values.chunks, split, starts, strict=True)
    return pa.chunked_array([chunk.take(pa.array(found - start)) for chunk, found, start in parts])


def _as_its_own_dictionary(chunk: pa.Array) -> tuple[pa.Array, _Codes, Bools | None]:
    valid = valid_of(chunk)
    if valid is None:
        return chunk, np.arange(len(chunk), dtype=np.int32), None
    return chunk.drop_null(), np.maximum(np.cumsum(valid, dtype=np.int32) - 1, 0), valid


def _only_used(dictionary: pa.Array, codes: _Codes, valid: Bools | None) -> tuple[pa.Array, _Codes]:
    """Drop entries no row holds: what a chunk carries along must not shape the segment."""
    used = np.zeros(len(dictionary), np.bool_)
    used[codes if valid is None else codes[valid]] = True
    if used.all():
        return dictionary, codes
    places = np.maximum(np.cumsum(used) - 1, 0).astype(np.int32)
    return dictionary.filter(pa.array(used)), places.take(codes) if len(places) else codes


def _hashed(entries: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return the distinct entries, in any order, and each entry's place among them."""
    encoded = entries.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return pa.array([], entries.type), np.empty(0, np.int64)
    places = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    return encoded.chunk(0).dictionary, places.astype(np.int64)


def _sorted_distinct(entries: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Sort entries and drop repeats; return them and each input entry's place in the result."""
    order = pc.array_sort_indices(entries)
    entries = entries.take(order)
    is_new = np.ones(len(entries), np.bool_)
    if len(entries):
        is_new[1:] = pc.not_equal(entries[1:], entries[:-1]).to_numpy(zero_copy_only=False)
    ranks = np.empty(len(entries), np.int64)
    ranks[order.to_numpy()] = np.cumsum(is_new) - 1
    return entries if is_new.all() else entries.filter(pa.array(is_new)), ranks


def dictionary_buffers(dictionary: pa.Array) -> tuple[tuple[str, npt.NDArray[Any]], ...]:
    """Return the buffers of a sorted dictionary, each behind its suffix."""
    if pa.types.is_decimal(dictionary.type):
        words = buffer_values(dictionary, np.int64, words=2)
        return (("dict", words.view(np.uint8)),)
    offsets, text = text_buffers(dictionary)
    buffers: list[tuple[str, npt.NDArray[Any]]] = [("dict_offsets", offsets), ("dict_bytes", text)]
    if MIN_INDEXED_TEXTS <= len(dictionary) <= MAX_INDEXED_TEXTS:
        buffers += zip(("dict_buckets", "dict_codes"), _text_index(offsets, text), strict=True)
    return tuple(buffers)


def _text_index(
    offsets: npt.NDArray[np.int64], text: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return where each bucket of a hash table begins, and the codes, bucket by bucket.

    A text's bucket is the highest bits of its xxh3-64; there are one to two buckets a text.
    """
    count = len(offsets) - 1
    view, ends = text.data, offsets.tolist()
    hashes = np.fromiter(
        (xxh3_64_intdigest(view[a:b]) for a, b in pairwise(ends)), np.uint64, count
    )
    bits = count.bit_length()
    buckets = hashes >> np.uint64(64 - bits)
    order = np.argsort(buckets, kind="stable")
    starts = buckets[order].searchsorted(np.arange((1 << bits) + 1, dtype=np.uint64))
    return starts.astype(np.uint32), order.astype(np.uint32)
