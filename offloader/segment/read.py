"""Open a segment's parts as numpy views: no parse of rows, no copy, no pyarrow.

Everything here is read-only and shared: many workers map the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.types import ColumnType, Kind, parse_type
from offloader.segment.dictionary import DecimalDictionary, Dictionary, Texts
from offloader.segment.layout import Buffer, corrupt, read_descriptor, sections
from offloader.segment.path_tail import TailColumn
from offloader.segment.path_view import KeyColumn, PathView
from offloader.segment.remote_files import RemoteFiles, open_files
from offloader.segment.row_texts import RowTexts, SkippedRowTexts, open_row_texts

__all__ = [
    "ColumnView",
    "DecimalDictionary",
    "Dictionary",
    "PathView",
    "RemoteFiles",
    "RowTexts",
    "Segment",
    "SkippedRowTexts",
    "Texts",
    "open_segment",
]

MAX_INT64_PRECISION = 18
Rows = slice | npt.NDArray[np.integer]
_Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ColumnView:
    """One column of an open segment, rows in base order.

    `values` holds physical values, shape (row_count,): BOOLEAN uint8, INTEGER and DATE (days)
    int32, BIGINT and TIMESTAMP (µs) int64, DOUBLE float64, DECIMAL up to 18 digits int64
    (unscaled), wider DECIMAL and VARCHAR codes of `dictionary` (uint8, uint16 or uint32); it is
    None for JSON, whose text is read with `texts`. `reach` is the greatest distance of an INTEGER,
    BIGINT or int64 DECIMAL value from 0. `valid` is an Arrow bitmap (uint8, least
    significant bit first) or None when no row is null; the value of a null row means nothing.
    """

    name: str
    type: ColumnType
    row_count: int
    null_count: int
    values: npt.NDArray[Any] | None
    valid: npt.NDArray[np.uint8] | None
    dictionary: Dictionary | DecimalDictionary | None
    json: Texts | None
    reach: int | None = None

    def is_valid(self, rows: Rows) -> npt.NDArray[np.bool_] | None:
        """Return which of `rows` are not null, shape (len(rows),); None when all are valid."""
        if self.valid is None:
            return None
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.row_count)
            bits = np.unpackbits(self.valid[start >> 3 : (stop + 7) >> 3], bitorder="little")
            return bits[start & 7 : (start & 7) + max(stop - start, 0)].view(np.bool_)
        bit = np.left_shift(np.uint8(1), (rows & 7).astype(np.uint8))
        found: npt.NDArray[np.bool_] = (self.valid[rows >> 3] & bit) != 0
        return found

    def gather(self, rows: Rows) -> npt.NDArray[Any]:
        """Return the physical values of `rows`: a view for a slice, else a new array.

        Raises TypeError for JSON, which has no physical values.
        """
        if self.values is None:
            raise TypeError(f"column {self.name} is JSON: read it with texts()")
        return self.values[rows] if isinstance(rows, slice) else self.values.take(rows)

    def texts(self, rows: Rows) -> list[str | None]:
        """Return the JSON or VARCHAR text of `rows`, None for a null.

        Raises TypeError for columns that hold no text.
        """
        source = self.dictionary if self.json is None else self.json
        if not isinstance(source, Texts):
            raise TypeError(f"column {self.name} holds no text: read it with gather()")
        numbers = self._row_numbers(rows) if self.json is not None else self.gather(rows)
        if len(source) == 0:
            return [None] * len(numbers)
        found: list[str | None] = [*source.texts(numbers)]
        valid = self.is_valid(rows)
        for place in [] if valid is None else np.flatnonzero(~valid).tolist():
            found[place] = None
        return found

    def _row_numbers(self, rows: Rows) -> npt.NDArray[np.integer]:
        if not isinstance(rows, slice):
            return rows
        return np.arange(*rows.indices(self.row_count), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One snapshot of one dataset, open for reading.

    `watermark` and `created_at` are microseconds since the epoch. `ordinal` (uint32, shape
    (row_count,)) is each base row's number in the source, or None when they are the same. `files`
    is there when an endpoint reads them; if all do, there are no rows.
    """

    dataset: str
    snapshot_id: str
    manifest_digest: str
    watermark: int
    created_at: int
    row_count: int
    tenant_column: str | None
    columns: dict[str, ColumnView]
    paths: tuple[PathView, ...]
    ordinal: npt.NDArray[np.uint32] | None
    texts: tuple[RowTexts, ...] = ()
    skipped_texts: tuple[SkippedRowTexts, ...] = ()
    files: RemoteFiles | None = None

    @property
    def is_remote_only(self) -> bool:
        """Whether the rows are in the files alone."""
        return self.files is not None and self.row_count < self.files.row_count


def open_segment(columns_part: Buffer, other_parts: Sequence[Buffer] = ()) -> Segment:
    """Map the parts of one segment; the buffers must outlive what is returned.

    The other parts are access paths, row texts and files, in any order; each says which it is.

    Checks headers, bounds and that the parts belong together, not the buffers' checksums: `verify`
    does that once, when a part is loaded. Raises SegmentCorrupt.
    """
    head = read_descriptor(columns_part)
    arrays = _views(columns_part, head)
    try:
        columns = {c["name"]: _column(c, head["row_count"], arrays) for c in head["columns"]}
        others = [_other(part, head, columns) for part in other_parts]
        return Segment(
            dataset=head["dataset"],
            snapshot_id=head["snapshot_id"],
            manifest_digest=head["manifest_digest"],
            watermark=head["watermark"],
            created_at=head["created_at"],
            row_count=head["row_count"],
            tenant_column=head["tenant_column"],
            columns=columns,
            paths=tuple(one for one in others if isinstance(one, PathView)),
            ordinal=arrays.get("ordinal"),
            texts=tuple(one for one in others if isinstance(one, RowTexts)),
            skipped_texts=tuple(one for one in others if isinstance(one, SkippedRowTexts)),
            files=next((one for one in others if isinstance(one, RemoteFiles)), None),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt("descriptor", "it does not describe a columns part") from error


def _views(part: Buffer, descriptor: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    arrays = {}
    for section in sections(descriptor):
        dtype = np.dtype(section.dtype)
        count = section.length // dtype.itemsize
        view = np.frombuffer(part, dtype, count, section.offset)
        view.flags.writeable = False
        arrays[section.name] = view
    return arrays


def _column(entry: Mapping[str, Any], row_count: int, arrays: _Arrays) -> ColumnView:
    name, column_type = entry["name"], parse_type(entry["type"])
    is_json = column_type.kind is Kind.JSON
    return ColumnView(
        name=name,
        type=column_type,
        row_count=row_count,
        null_count=entry["nulls"],
        values=None if is_json else arrays[f"{name}.values"],
        valid=arrays.get(f"{name}.valid"),
        dictionary=_dictionary(name, column_type, arrays),
        json=Texts(arrays[f"{name}.offsets"], arrays[f"{name}.bytes"]) if is_json else None,
        reach=entry["reach"],
    )


def _dictionary(
    name: str, column_type: ColumnType, arrays: _Arrays
) -> Dictionary | DecimalDictionary | None:
    if column_type.kind is Kind.VARCHAR:
        return Dictionary(
            arrays[f"{name}.dict_offsets"],
            arrays[f"{name}.dict_bytes"],
            arrays.get(f"{name}.dict_buckets"),
            arrays.get(f"{name}.dict_codes"),
        )
    if column_type.kind is Kind.DECIMAL and column_type.precision > MAX_INT64_PRECISION:
        return DecimalDictionary(arrays[f"{name}.dict"])
    return None


def _other(
    part: Buffer, columns_head: Mapping[str, Any], columns: Mapping[str, ColumnView]
) -> PathView | RowTexts | SkippedRowTexts | RemoteFiles:
    head = read_descriptor(part)
    kind = head["kind"]
    facts = ("manifest_digest", "row_count", "tenant_column")
    for fact in facts[:1] if kind == "files" else facts:
        if head[fact] != columns_head[fact]:
            raise corrupt("descriptor", f"a {kind} part is of another segment ({fact} differs)")
    try:
        arrays = _views(part, head)
        if kind == "files":
            return open_files(head, arrays)
        if kind == "path":
            return _path(head, arrays, columns)
        if kind == "row_texts":
            return open_row_texts(head, arrays)
        raise ValueError(kind)
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt("descriptor", f"it does not describe a {kind} part") from error


def _path(head: Mapping[str, Any], arrays: _Arrays, columns: Mapping[str, ColumnView]) -> PathView:
    key = tuple(KeyColumn.from_json(entry) for entry in head["key"])
    rows = arrays.get("rows")
    behind = (columns[name] for name in head["columns"][len(key) :])
    return PathView(
        columns=tuple(head["columns"]),
        key_columns=tuple(column.column for column in key),
        row_count=head["row_count"],
        key=key,
        keys=arrays["keys"],
        starts=arrays.get("starts"),
        base_rows=rows,
        tail=tuple(TailColumn(c.gather(slice(None)), c.valid, rows) for c in behind),
    )
