"""The files part: what was pinned is what is read, and it opens with its segment only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from offloader.catalog.model import Column
from offloader.catalog.types import parse_type
from offloader.errors import SegmentCorrupt
from offloader.segment.layout import verify
from offloader.segment.read import open_segment
from offloader.segment.remote_files import PinnedFile, RemoteFiles, write_files
from tests.segment.tables import FACTS, build_files, table

COLUMNS = (Column("a", parse_type("DECIMAL(20,2)")), Column("b", parse_type("JSON")))
FILES = (
    PinnedFile("gs://bucket/ä.parquet", "parquet", "17", 100, 3),
    PinnedFile("/data/b.csv", "csv", "x:1:2", 5, 4),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """In order, with the columns of the manifest, beside a segment without rows."""
    _, targets = build_files(tmp_path, table("a INTEGER"))
    size_bytes = write_files(tmp_path / "files", FACTS, COLUMNS, FILES)
    content = (tmp_path / "files").read_bytes()
    assert len(content) == size_bytes
    verify(content)
    segment = open_segment(targets.columns.read_bytes(), [content])
    assert segment.files == RemoteFiles(COLUMNS, FILES)
    assert (segment.files.row_count, segment.files.size_bytes) == (7, 105)
    assert segment.is_remote_only


def test_a_segment_with_all_rows_is_not_remote_only(tmp_path: Path) -> None:
    """Nor is one of a snapshot without rows."""
    _, targets = build_files(tmp_path, table("a INTEGER", [(1,)] * 7))
    write_files(tmp_path / "files", FACTS, COLUMNS, FILES)
    parts = targets.columns.read_bytes(), [(tmp_path / "files").read_bytes()]
    assert not open_segment(*parts).is_remote_only
    assert not open_segment(parts[0]).is_remote_only
    write_files(tmp_path / "files", FACTS, COLUMNS, [])
    assert open_segment(parts[0], [(tmp_path / "files").read_bytes()]).files is not None


def test_the_files_of_another_snapshot_do_not_open_with_it(tmp_path: Path) -> None:
    """The manifest is compared."""
    _, targets = build_files(tmp_path, table("a INTEGER"))
    other = replace(FACTS, manifest_digest="e" * 32)
    write_files(tmp_path / "files", other, COLUMNS, FILES)
    with pytest.raises(SegmentCorrupt, match="manifest_digest"):
        open_segment(targets.columns.read_bytes(), [(tmp_path / "files").read_bytes()])
