"""CSV bodies are exact (RFC 4180): quotes only where needed, null and the empty text apart."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from offloader.query.formats import CSV
from tests.query.formatted import formatted, read_csv, read_csv_with_duckdb
from tests.query.serving import serve
from tests.segment.tables import Value


def test_a_body_is_a_header_and_a_line_a_row() -> None:
    """Aliases, then rows; every line ends with CRLF, the last one too; no BOM."""
    served = serve("a VARCHAR, b BIGINT", [("é", 1), ("y", None)])
    assert formatted(served, CSV) == "a,b\r\né,1\r\ny,\r\n".encode()
    assert formatted(served, CSV, "columns=b&limit=1") == b"b\r\n1\r\n"


def test_no_rows_is_the_header_alone() -> None:
    """A reader learns the columns of an empty page too."""
    served = serve("a VARCHAR, j JSON, b BIGINT", [])
    assert formatted(served, CSV) == b"a,j,b\r\n"
    full = serve("a VARCHAR, j JSON", [("x", "1")])
    assert formatted(full, CSV, "offset=5") == b"a,j\r\n"


@pytest.mark.parametrize(
    ("contract", "value", "field"),
    [
        ("BOOLEAN", True, "true"),
        ("BOOLEAN", False, "false"),
        ("INTEGER", -(2**31), "-2147483648"),
        ("BIGINT", 2**63 - 1, "9223372036854775807"),
        ("DOUBLE", 0.1, "0.1"),
        ("DOUBLE", -0.0, "-0.0"),
        ("DOUBLE", 1e16, "1e+16"),
        ("DOUBLE", float("nan"), ""),
        ("DOUBLE", float("-inf"), ""),
        ("DECIMAL(5,2)", -5, "-0.05"),
        ("DECIMAL(38,4)", 10**38 - 1, "9" * 34 + ".9999"),
        ("VARCHAR", "plain text", "plain text"),
        ("VARCHAR", "", '""'),
        ("VARCHAR", " ", " "),
        ("VARCHAR", "null", "null"),
        ("VARCHAR", "a,b", '"a,b"'),
        ("VARCHAR", 'say "hi"', '"say ""hi"""'),
        ("VARCHAR", '"', '""""'),
        ("VARCHAR", "a\rb", '"a\rb"'),
        ("VARCHAR", "a\nb", '"a\nb"'),
        ("VARCHAR", "\x0b\x1c\x85\u2028", "\x0b\x1c\x85\u2028"),
        ("VARCHAR", "=1+1", "=1+1"),
        ("VARCHAR", "a\\b;'c\t", "a\\b;'c\t"),
        ("DATE", 20605, "2026-06-01"),
        ("DATE", 2_932_897, "+010000-01-01"),
        ("TIMESTAMP", 1_500_000, "1970-01-01T00:00:01.500000Z"),
        ("JSON", '{"b":[1,2.50],"a":"é"}', '"{""b"":[1,2.50],""a"":""é""}"'),
        ("JSON", "12.50", "12.50"),
        ("JSON", "null", "null"),
        ("JSON", '""', '""""""'),
        ("JSON", "[1,2]", '"[1,2]"'),
    ],
)
def test_each_value_has_one_field(contract: str, value: Value, field: str) -> None:
    """The field alone in its column, and beside a null, is exactly this; values are as in JSON."""
    served = serve(f"v {contract}, n INTEGER", [(value, 1), (None, 2)])
    assert formatted(served, CSV).decode() == f"v,n\r\n{field},1\r\n,2\r\n"
    assert formatted(served, CSV, "limit=1").decode() == f"v,n\r\n{field},1\r\n"


def test_repeated_texts_are_each_shown() -> None:
    """Quoting a text once does not lose its repeats or their order."""
    served = serve("v VARCHAR", [("b,",), ("a",), (None,), ("b,",), ("a",)])
    assert formatted(served, CSV) == b'v\r\n"b,"\r\na\r\n\r\n"b,"\r\na\r\n'


def test_aggregates_are_as_in_json() -> None:
    """A sum beyond 64 bits has all its digits; an aggregate over nothing is empty."""
    rows = [("a", 2**63 - 1, 1), ("a", 2**63 - 1, None), (None, None, None)]
    served = serve(
        "k VARCHAR, v BIGINT, w DECIMAL(30,1)",
        rows,
        select="k, v sum s, v avg m, v count n, w max w",
        group_by="k",
    )
    assert formatted(served, CSV).decode() == (
        "k,s,m,n,w\r\na,18446744073709551614,9.223372036854776e+18,2,0.1\r\n,,,0,\r\n"
    )


def test_an_all_null_text_column_reads_no_text() -> None:
    """A dictionary without entries is not looked into."""
    served = serve("v VARCHAR, j JSON", [(None, None), (None, None)])
    assert formatted(served, CSV) == b"v,j\r\n,\r\n,\r\n"


@pytest.mark.parametrize("width", [1, 2])
def test_readers_tell_null_from_the_empty_text(width: int, tmp_path: Path) -> None:
    """Two readers give back the texts, also of one column, where a null is an empty line."""
    texts = ["", None, "a", "null", 'x"\r\n,', None, " ", "é", "=1+1", "#", "'"]
    served = serve("v VARCHAR, w VARCHAR", [(text, "w") for text in texts])
    query = "columns=v" if width == 1 else ""
    body = formatted(served, CSV, query)
    names = ["v", "w"][:width]
    wanted = [(text, "w")[:width] for text in texts]
    assert read_csv(body, names) == wanted
    path = tmp_path / "body.csv"
    path.write_bytes(body)
    with duckdb.connect(config={"threads": 1}) as connection:
        assert read_csv_with_duckdb(connection, path, names) == wanted
