"""Count the rows of an open columns part whose key already occurred. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import xxhash

from offloader.catalog.types import Kind
from offloader.segment.build_sort import Bools, Field, fields_of, key_column, sorted_positions
from offloader.segment.read import ColumnView, Segment


def count_duplicates(segment: Segment, columns: Sequence[str]) -> int:
    """Return how many rows repeat the key `columns` of an earlier row.

    As in SQL, a key with a null in it equals no other. Raises KeyError for an unknown column.
    """
    views = [segment.columns[name] for name in columns]
    rows = _rows_without_null(views, segment.row_count)
    fields = list(chain(*(_fields(view, rows) for view in views)))
    order = sorted_positions(fields, len(rows))
    repeats = np.ones(max(len(rows) - 1, 0), np.bool_)
    for field in fields:
        ranks = field.ranks.take(order)
        repeats &= ranks[1:] == ranks[:-1]
    return int(np.count_nonzero(repeats))


def _rows_without_null(views: Sequence[ColumnView], row_count: int) -> np.ndarray:
    keep: Bools = np.ones(row_count, np.bool_)
    for view in views:
        valid = view.is_valid(slice(None))
        if valid is not None:
            keep &= valid
    return np.flatnonzero(keep)


def _fields(view: ColumnView, rows: np.ndarray) -> list[Field]:
    if view.type.kind is Kind.JSON:
        return _text_fields(view, rows)
    values = view.gather(rows)
    is_double = view.type.kind is Kind.DOUBLE
    return fields_of(key_column(view.name, values, None, is_double=is_double), values, None)


def _text_fields(view: ColumnView, rows: np.ndarray) -> list[Field]:
    """Stand in for texts with their xxh3-128, which no two texts of a snapshot share by chance."""
    texts = ((text or "").encode() for text in view.texts(rows))
    digests = b"".join(xxhash.xxh3_128_digest(text) for text in texts)
    words = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    return [Field(words[:, 0].copy(), 64), Field(words[:, 1].copy(), 64)]
