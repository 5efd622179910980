"""CSV: RFC 4180 in UTF-8, typed by the manifest, refused at its row and never with its value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused
from tests.sources.local_snapshots import open_document, publish_text, read_rows, refused

PAIR = [("a", "VARCHAR"), ("b", "VARCHAR")]


def _read(folder: Path, text: str | bytes, kinds: dict[str, str], rows: int) -> list[Any]:
    document = publish_text(folder, text, rows, list(kinds.items()))
    return [list(row.values()) for row in read_rows(open_document(folder, document))]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("BOOLEAN", "true", True),
        ("BOOLEAN", "FALSE", False),
        ("INTEGER", "-2147483648", -(2**31)),
        ("BIGINT", "9223372036854775807", 2**63 - 1),
        ("DOUBLE", "1e300", 1e300),
        ("DOUBLE", "nan", None),
        ("DOUBLE", "-inf", None),
        ("DECIMAL(38,2)", "1.5", Decimal("1.50")),
        ("VARCHAR", "é ", "é "),
        ("VARCHAR", '""', ""),
        ("VARCHAR", '"a,""b""\r\nc"', 'a,"b"\r\nc'),
        ("VARCHAR", "NULL", "NULL"),
        ("DATE", "0001-01-01", date(1, 1, 1)),
        ("TIMESTAMP", "2026-06-01T00:00:00Z", datetime(2026, 6, 1, tzinfo=UTC)),
        ("TIMESTAMP", "2026-06-01T02:00:00.5+02:00", datetime(2026, 6, 1, 0, 0, 0, 500_000, UTC)),
        ("TIMESTAMP", "2026-06-01 00:00:00", datetime(2026, 6, 1, tzinfo=UTC)),
        ("JSON", '"{""a"": [1, 2.50]}"', '{"a":[1,2.50]}'),
    ],
)
def test_a_field_is_read_as_its_type(tmp_path: Path, kind: str, text: str, value: Any) -> None:
    """Each type has its text; an empty field is null for all of them."""
    found = _read(tmp_path, f"a,b\n{text},1\n,1\n", {"a": kind, "b": "INTEGER"}, 2)
    assert found == [[value, 1], [None, 1]]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("BOOLEAN", "1"),
        ("BOOLEAN", "yes"),
        ("INTEGER", "2147483648"),
        ("INTEGER", "1.0"),
        ("BIGINT", "9223372036854775808"),
        ("BIGINT", "NULL"),
        ("DOUBLE", "1,5"),
        ("DECIMAL(4,2)", "1.555"),
        ("DECIMAL(4,2)", "100"),
        ("DATE", "01.06.2026"),
        ("DATE", "2026-02-30"),
        ("TIMESTAMP", "2026-06-01"),
        ("TIMESTAMP", "2026-06-01T00:00:00.0000001Z"),
    ],
)
def test_a_field_that_is_not_of_its_type_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    """The refusal names file, column and row, and does not repeat the value."""
    lines = f'a,b\n,1\n\n"{text}",2\n,3\n'
    with refused("value_invalid", path="a", row=2) as problems:
        _read(tmp_path, lines, {"a": kind, "b": "INTEGER"}, 3)
    assert problems[0].file == "part.csv"
    assert text not in str(problems[0]).replace("row 2", "").replace("64 bits", "")


def test_json_text_is_checked(tmp_path: Path) -> None:
    """A cell that is not JSON is refused at its row."""
    with refused("json_invalid", path="a", row=2):
        _read(tmp_path, "a,b\n[],1\n[1,1\n", {"a": "JSON", "b": "INTEGER"}, 2)


def test_a_mixed_column_of_times_is_read(tmp_path: Path) -> None:
    """Values with and without a zone may stand in one column."""
    text = "a,b\n2026-06-01 01:00:00+01,1\n2026-06-01T00:00,2\n,3\n"
    noon = datetime(2026, 6, 1, tzinfo=UTC)
    found = _read(tmp_path, text, {"a": "TIMESTAMP", "b": "INTEGER"}, 3)
    assert found == [[noon, 1], [noon, 2], [None, 3]]


def test_the_header_gives_the_columns_in_any_order(tmp_path: Path) -> None:
    """A byte order mark and CRLF are fine, so is a last line without its end."""
    text = b"\xef\xbb\xbfb,a\r\n1,x\r\n2,y"
    found = _read(tmp_path, text, {"a": "VARCHAR", "b": "INTEGER"}, 2)
    assert found == [["x", 1], ["y", 2]]


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "\ufeffa,b\r\n"])
def test_a_file_of_only_a_header_has_no_rows(tmp_path: Path, text: str) -> None:
    """An empty part is a header and nothing else."""
    assert _read(tmp_path, text, {"a": "VARCHAR", "b": "VARCHAR"}, 0) == []


def test_an_empty_line_is_a_null_in_a_file_of_one_column(tmp_path: Path) -> None:
    """With one column, an empty field is all there is of a row."""
    assert _read(tmp_path, 'a\nx\n\n""\n', {"a": "VARCHAR"}, 3) == [["x"], [None], [""]]


def test_a_header_that_differs_is_refused_with_every_column(tmp_path: Path) -> None:
    """Missing, undeclared and repeated columns are all named."""
    document = publish_text(tmp_path, "a,c,c\n1,2,3\n", 1, PAIR)
    with pytest.raises(SnapshotRefused) as caught:
        read_rows(open_document(tmp_path, document))
    assert [(problem.path, problem.code) for problem in caught.value.problems] == [
        ("b", "file_column_missing"),
        ("c", "file_column_duplicate"),
        ("c", "file_column_undeclared"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "column", "row"),
    [
        (b"", "file_unreadable", "", 0),
        (b"\n", "file_unreadable", "", 0),
        (b'"a,b\n1,2\n', "file_unreadable", "", 0),
        (b"a,b\n1,2\n3\n", "file_unreadable", "", 2),
        (b"a,b\n1,2,3\n", "file_unreadable", "", 1),
        (b'a,b\n1,"2\n' + b"x,y\n" * 2**22, "file_unreadable", "", 0),
        (b"a,b\n1,2\n\xff,3\n", "text_not_utf8", "a", 2),
        (b"a,\xff\n1,2\n", "text_not_utf8", "", 0),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, text: bytes, code: str, column: str, row: int
) -> None:
    """What is not CSV in UTF-8 is refused, with its row where one can be told."""
    document = publish_text(tmp_path, text, 2, PAIR)
    with refused(code, path=column, row=row):
        read_rows(open_document(tmp_path, document))


def test_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    """A file that lost or gained rows is not what was published."""
    document = publish_text(tmp_path, "a,b\n1,2\n", 2, PAIR)
    with refused("file_row_count_differs") as problems:
        read_rows(open_document(tmp_path, document))
    assert problems[0].message == "it has 1 rows, the manifest says 2"
