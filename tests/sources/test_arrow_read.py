"""What pyarrow raises becomes our errors: transient or final, never with a value."""

from __future__ import annotations

import errno
from typing import Any

import pyarrow as pa
import pytest

from offloader.catalog.types import parse_type
from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.arrow_cast import BadValueError, read_as
from offloader.sources.arrow_read import translated_errors
from offloader.sources.arrow_types import CODED_TEXT


def test_a_failing_disk_is_tried_again() -> None:
    """An error with a number comes from the system."""
    with pytest.raises(SourceUnavailable) as caught, translated_errors("a.csv"):
        raise OSError(errno.EIO, "Input/output error")
    assert caught.value.code == "source_unreadable"
    assert caught.value.message == "a.csv: reading failed: Input/output error"


@pytest.mark.parametrize("error", [OSError("corrupt: secret"), pa.ArrowInvalid("bad 'secret'")])
def test_a_damaged_file_is_final(error: Exception) -> None:
    """An error without a number comes from the content, whose words stay out of ours."""
    with pytest.raises(SnapshotRefused) as caught, translated_errors("a.parquet"):
        raise error
    assert caught.value.code == "file_unreadable"
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_lack_of_memory_is_no_fault_of_the_file() -> None:
    """Memory errors pass as they are."""
    with pytest.raises(MemoryError), translated_errors("a.parquet"):
        raise pa.ArrowMemoryError("malloc")


@pytest.mark.parametrize("values", [pa.large_string(), pa.string_view(), pa.string()])
@pytest.mark.parametrize("codes", [pa.int8(), pa.uint16(), pa.int64()])
def test_coded_text_has_one_type(values: pa.DataType, codes: pa.DataType) -> None:
    """Whatever a file's codes are, they arrive as dictionary<int32, string>."""
    found = pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0], codes), pa.array(["b", "a"], values)
    )
    read = read_as(parse_type("VARCHAR"), found)
    assert read.type == CODED_TEXT
    assert read.to_pylist() == ["a", None, "b"]


@pytest.mark.parametrize(
    ("kind", "bad", "row"), [("VARCHAR", b"\xff", 2), ("JSON", b"{", 2), ("JSON", b"\xff", 2)]
)
def test_a_bad_entry_of_a_dictionary_counts_where_it_is_used(
    kind: str, bad: bytes, row: int
) -> None:
    """The first row that uses the entry is told; an entry no row uses is no fault."""
    entries = pa.array([b"[]", bad]).view(pa.string())
    used: Any = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 1], pa.int32()), entries)
    with pytest.raises(BadValueError) as caught:
        read_as(parse_type(kind), used)
    assert caught.value.row == 2
    unused = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int32()), entries)
    assert read_as(parse_type(kind), unused).to_pylist() == ["[]", None]
