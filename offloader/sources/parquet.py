"""Read Parquet in tables of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pa_parquet

MAX_BATCH_ROWS = 2**20
_MIN_BATCH_ROWS = 2**12
_BATCH_BYTES = 64 * 2**20  # as encoded in the file; decoded text may be a few times larger
_READ_BYTES = 4 * 2**20
_CODED_BYTES_A_VALUE = 4  # a plain text costs 4 bytes and its own; a coded one fewer


class ParquetSource:
    """An open Parquet file: `schema` as Arrow reads it, `row_count` as its footer says.

    Raises ArrowException or OSError, as pyarrow does, when the footer cannot be read.
    """

    def __init__(self, source: pa.NativeFile, *, threads: int) -> None:
        self._source = source
        self._threads = threads
        self._metadata = pa_parquet.ParquetFile(source, pre_buffer=False).metadata
        self.schema: pa.Schema = self._open().schema_arrow
        self.row_count: int = self._metadata.num_rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns asked for, at most 2**20 rows at a time, in the file's row order.

        Text that the file holds coded arrives as dictionary<int32, string>.
        """
        file = self._open(read_dictionary=self._coded(columns))
        yield from file.iter_batches(
            batch_size=self._batch_rows(),
            columns=list(columns),
            use_threads=self._threads > 1,
        )

    def _open(self, **options: object) -> pa_parquet.ParquetFile:
        return pa_parquet.ParquetFile(
            self._source,
            metadata=self._metadata,
            pre_buffer=False,  # or whole files gather in memory
            buffer_size=_READ_BYTES,
            coerce_int96_timestamp_unit="us",  # nanoseconds would wrap far from today
            **options,
        )

    def _batch_rows(self) -> int:
        groups = range(self._metadata.num_row_groups)
        size_bytes = sum(self._metadata.row_group(index).total_byte_size for index in groups)
        fitting: int = self.row_count * _BATCH_BYTES // max(size_bytes, 1)
        return min(max(fitting, _MIN_BATCH_ROWS), MAX_BATCH_ROWS)

    def _coded(self, columns: Sequence[str]) -> list[str]:
        texts = {name for name in columns if pa.types.is_string(self.schema.field(name).type)}
        if not texts or self._metadata.num_row_groups == 0:
            return []
        for index in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(index)
            chunks = (group.column(place) for place in range(group.num_columns))
            texts -= {chunk.path_in_schema for chunk in chunks if not _is_coded(chunk)}
        return sorted(texts)


def _is_coded(chunk: pa_parquet.ColumnChunkMetaData) -> bool:
    is_small = chunk.total_uncompressed_size < _CODED_BYTES_A_VALUE * chunk.num_values
    return bool(chunk.has_dictionary_page and is_small)
