"""Which row groups of a Parquet file a scan reads, and where their bytes lie. No file is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pa_parquet
import pyarrow.types as at

from offloader.sources.arrow_types import is_text
from offloader.sources.ranged_file import Range
from offloader.sources.scan_filter import Condition, can_match

FETCHED_BYTES = 32 << 20
_VALUE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its number, its rows, where the columns lie and what they take once decoded."""

    number: int
    row_count: int
    ranges: tuple[Range, ...]
    decoded_bytes: int

    @property
    def stored_bytes(self) -> int:
        """The bytes of the columns in the file."""
        return sum(end - start for start, end in self.ranges)


def wanted_groups(
    fragment: pa_dataset.ParquetFileFragment,
    columns: Collection[str],
    where: pc.Expression | None,
    conditions: Iterable[Condition] = (),
) -> list[Group]:
    """Return the row groups whose statistics do not rule out rows that meet `where`.

    pyarrow looks at no statistics of coded texts: those are compared with `conditions` here.
    """
    metadata, schema = fragment.metadata, fragment.physical_schema
    if where is not None:
        fragment = fragment.subset(where)
    numbers = [group.id for group in fragment.row_groups]
    for condition in conditions:
        found = schema.field(condition.column.name).type
        if at.is_dictionary(found) and is_text(found.value_type):
            numbers = [one for one in numbers if _can_match(metadata.row_group(one), condition)]
    return [_group(metadata, number, columns) for number in numbers]


def in_batches(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Yield groups in order, as many at a time as are fetched together: 32 MiB, at least one."""
    batch: list[Group] = []
    size_bytes = 0
    for group in groups:
        if batch and size_bytes + group.stored_bytes > FETCHED_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(group)
        size_bytes += group.stored_bytes
    if batch:
        yield batch


def _can_match(group: pa_parquet.RowGroupMetaData, condition: Condition) -> bool:
    for place in range(group.num_columns):
        chunk = group.column(place)
        if chunk.path_in_schema == condition.column.name:
            found = chunk.statistics
            if found is None or not found.has_min_max:
                return True
            return can_match(condition, str(found.min), str(found.max))
    return True


def _group(metadata: pa_parquet.FileMetaData, number: int, columns: Collection[str]) -> Group:
    group = metadata.row_group(number)
    chunks = (group.column(place) for place in range(group.num_columns))
    needed = [one for one in chunks if one.path_in_schema.partition(".")[0] in columns]
    ranges = []
    for chunk in needed:
        start = chunk.data_page_offset
        if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
            start = chunk.dictionary_page_offset
        ranges.append((start, start + chunk.total_compressed_size))
    encoded_bytes = sum(chunk.total_uncompressed_size for chunk in needed)
    plain_bytes = group.num_rows * _VALUE_BYTES * len(needed)
    return Group(number, group.num_rows, tuple(ranges), max(encoded_bytes, plain_bytes))
