"""Read CSV in tables of bounded size, typed by the manifest.

RFC 4180 in UTF-8 (a byte order mark is skipped), with a header line. An empty field is null; for
text `""` is the empty string. A record is at most 8 MiB and may hold line breaks in quotes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv

from offloader.catalog.model import Column
from offloader.catalog.types import Kind
from offloader.sources.arrow_types import arrow_type

BLOCK_BYTES = 8 * 2**20
HEADER_BYTES = 2**20
_READ_AS_TEXT = (Kind.VARCHAR, Kind.TIMESTAMP, Kind.JSON)
_TRUE = ["true", "True", "TRUE"]
_FALSE = ["false", "False", "FALSE"]
_BAD_VALUE = re.compile(r"In CSV column #([0-9]+): (?:Row #([0-9]+): )?(.*)", re.DOTALL)
_BAD_ROW = re.compile(r"CSV parse error: Row #([0-9]+): Expected ([0-9]+) columns, got ([0-9]+)")


class CsvError(ValueError):
    """A CSV file breaks its rules at `column` (empty: a whole row) and data row `row` (0: unknown).

    Rows are counted from 1, without the header and without empty lines.
    """

    def __init__(self, code: str, rule: str, *, column: str = "", row: int = 0) -> None:
        super().__init__(rule)
        self.code = code
        self.rule = rule
        self.column = column
        self.row = row


class CsvSource:
    """An open CSV file: `names` are its header's; `is_header_only` if not even a line ends.

    `columns` type the fields. Raises CsvError when there is no header.
    """

    def __init__(self, source: pa.NativeFile, columns: Sequence[Column]) -> None:
        head = source.read(HEADER_BYTES)
        source.seek(0)
        self._source = source
        self._types = {column.name: _read_type(column) for column in columns}
        self.is_header_only = len(head) < HEADER_BYTES and not re.search(rb"[\r\n]", head)
        self.names = _read_header(head)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns asked for, block by block, in the file's row order.

        A TIMESTAMP and a JSON column arrive as the text they are. Raises CsvError.
        """
        if self.is_header_only:
            return
        try:
            yield from self._open(columns)
        except pa.ArrowInvalid as error:
            raise self._explain(str(error)) from None

    def _open(self, columns: Sequence[str]) -> pa_csv.CSVStreamingReader:
        return pa_csv.open_csv(
            self._source,
            # One thread: as fast here, and only then do errors know their row.
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=len(self.names) > 1
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(columns),
                column_types=self._types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=_TRUE,
                false_values=_FALSE,
            ),
        )

    def _explain(self, message: str) -> CsvError:
        """Translate pyarrow's words, which may hold a value, into ours."""
        if match := _BAD_VALUE.match(message):
            column, row = self.names[int(match[1])], max(int(match[2] or 1) - 1, 0)
            if "invalid UTF8" in match[3]:
                return CsvError("text_not_utf8", "it is not UTF-8", column=column, row=row)
            rule = f"it is not a {_TYPE_NAMES.get(self._types[column].id, 'DECIMAL of this size')}"
            return CsvError("value_invalid", rule, column=column, row=row)
        if match := _BAD_ROW.match(message):
            rule = f"it has {match[3]} fields, the header {match[2]}"
            return CsvError("file_unreadable", rule, row=int(match[1]) - 1)
        if "straddling" in message:
            rule = f"a record is longer than {BLOCK_BYTES} bytes, or a quote is never closed"
            return CsvError("file_unreadable", rule)
        return CsvError("file_unreadable", "it is not CSV as RFC 4180 describes it")


def _read_header(head: bytes) -> list[str]:
    try:
        text = head.decode("utf-8-sig", errors="surrogateescape")
        names = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error:
        raise CsvError("file_unreadable", "the header is not a line of CSV") from None
    if not any(names):
        raise CsvError("file_unreadable", "there is no header line")
    if any("\ud800" <= character <= "\udfff" for name in names for character in name):
        raise CsvError("text_not_utf8", "the header is not UTF-8")
    return names


def _read_type(column: Column) -> pa.DataType:
    return pa.string() if column.type.kind in _READ_AS_TEXT else arrow_type(column.type)


_TYPE_NAMES = {
    pa.bool_().id: "BOOLEAN: true or false",
    pa.int32().id: "INTEGER of 32 bits",
    pa.int64().id: "BIGINT of 64 bits",
    pa.float64().id: "DOUBLE",
    pa.date32().id: "DATE such as 2026-06-01",
}
