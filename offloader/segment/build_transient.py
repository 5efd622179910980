"""Build a segment in memory, for one request: the same columns as a part's, without a part.

Rows stay in the order in which they come: there are no access paths that would want another, and
no answer depends on it but by the order of the source.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from offloader.catalog.model import Column
from offloader.catalog.types import Kind
from offloader.segment.build_arrow import text_buffers
from offloader.segment.build_columns import reach_of
from offloader.segment.build_encode import Physical, encoder_of
from offloader.segment.dictionary import DecimalDictionary, Dictionary, Texts
from offloader.segment.read import ColumnView, Segment


class TransientSegment:
    """Collects tables of `columns`, in the contract's Arrow types, into a segment.

    `like` is the snapshot's own segment, whose facts it takes over.
    """

    def __init__(self, columns: Sequence[Column], like: Segment) -> None:
        self._columns = columns
        self._like = like
        self._encoders = {column.name: encoder_of(column.type) for column in columns}
        self.row_count = 0

    def add(self, table: pa.Table) -> None:
        """Take the next rows; raises SnapshotRefused `decimal_out_of_range`."""
        for name, encoder in self._encoders.items():
            for chunk in table.column(name).chunks:
                encoder.add(chunk)
        self.row_count += table.num_rows

    def finish(self) -> Segment:
        """Return the segment of all rows, and let go of them."""
        columns = {
            column.name: _view(column, self._encoders[column.name].finish(), self.row_count)
            for column in self._columns
        }
        self._encoders.clear()
        like = self._like
        return Segment(
            dataset=like.dataset,
            snapshot_id=like.snapshot_id,
            manifest_digest=like.manifest_digest,
            watermark=like.watermark,
            created_at=like.created_at,
            row_count=self.row_count,
            tenant_column=None,
            columns=columns,
            paths=(),
            ordinal=None,
        )


def _view(column: Column, found: Physical, row_count: int) -> ColumnView:
    valid = None if found.valid is None else np.packbits(found.valid, bitorder="little")
    json = None if found.text is None else Texts(*text_buffers(_without_nulls(found.text)))
    return ColumnView(
        name=column.name,
        type=column.type,
        row_count=row_count,
        null_count=found.null_count,
        values=found.values,
        valid=valid,
        dictionary=_dictionary(column, found),
        json=json,
        reach=reach_of(column, found),
    )


def _without_nulls(text: pa.LargeStringArray) -> pa.LargeStringArray:
    return text.fill_null("") if text.null_count else text


def _dictionary(column: Column, found: Physical) -> Dictionary | DecimalDictionary | None:
    buffers = dict(found.dictionary)
    if column.type.kind is Kind.VARCHAR:
        return Dictionary(
            buffers["dict_offsets"],
            buffers["dict_bytes"],
            buffers.get("dict_buckets"),
            buffers.get("dict_codes"),
        )
    return DecimalDictionary(buffers["dict"]) if "dict" in buffers else None
