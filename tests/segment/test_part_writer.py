"""A part appears whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from offloader.segment.layout import read_descriptor, sections, verify
from offloader.segment.part_writer import PartWriter
from offloader.segment.temporary import TEMPORARY_GLOB
from tests.segment.tables import Table, build_files


def test_the_file_appears_when_finished(tmp_path: Path) -> None:
    """Until `finish` there is only a temporary file, afterwards only the part."""
    path = tmp_path / "new" / "part"
    with PartWriter(path) as part:
        part.add("a", np.arange(3, dtype=np.int64))
        assert [file.name[:6] for file in path.parent.iterdir()] == [".part."]
        size = part.finish({"kind": "columns"})
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_size == size
    verify(path.read_bytes())


def test_pieces_make_the_same_bytes_as_a_whole(tmp_path: Path) -> None:
    """How a buffer is cut into pieces does not show in the file."""
    whole = np.arange(1000, dtype=np.uint32)
    with PartWriter(tmp_path / "whole") as part:
        part.add("a", whole)
        part.finish({})
    with PartWriter(tmp_path / "pieces") as part:
        part.add_pieces("a", np.uint32, np.split(whole, [0, 1, 500]))
        part.finish({})
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()


def test_buffers_are_aligned_and_padded_with_zeros(tmp_path: Path) -> None:
    """A 3-byte buffer takes 64 bytes, an empty one none."""
    with PartWriter(tmp_path / "part") as part:
        part.add("a", np.array([1, 2, 3], np.uint8))
        part.add("empty", np.empty(0, np.float64))
        part.add("b", np.array([4], np.uint16))
        part.finish({})
    raw = (tmp_path / "part").read_bytes()
    found = [(s.name, s.offset, s.length, s.dtype) for s in sections(read_descriptor(raw))]
    assert found == [("a", 64, 3, "uint8"), ("empty", 128, 0, "float64"), ("b", 128, 2, "uint16")]
    assert raw[64:192] == b"\1\2\3" + bytes(61) + b"\4" + bytes(63)


def test_short_writes_are_continued(tmp_path: Path) -> None:
    """A write that takes fewer bytes than offered is carried on with."""
    real = os.write
    with (
        patch("os.write", lambda file, block: real(file, block[:7])),
        PartWriter(tmp_path / "part") as part,
    ):
        part.add("a", np.arange(100, dtype=np.int32))
        part.finish({})
    verify((tmp_path / "part").read_bytes())


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, usage: Table) -> None:
    """ENOSPC reaches the caller and the temporary file is gone."""

    def full(file: int, block: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        patch("os.write", full),
        pytest.raises(OSError, match="No space left") as caught,
    ):
        build_files(tmp_path, usage, [("tenant", "account")])
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_a_killed_build_can_be_named(tmp_path: Path) -> None:
    """A glob finds what a build that was killed left behind, and no finished part."""
    part = PartWriter(tmp_path / "part")
    assert len(list(tmp_path.glob(TEMPORARY_GLOB))) == 1
    part.finish({})
    assert list(tmp_path.glob(TEMPORARY_GLOB)) == []
