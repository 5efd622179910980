"""Reading a segment maps it: nothing is copied, nothing can be written, no pyarrow is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from offloader.segment.read import open_segment
from tests.segment.tables import FACTS, Table, build, table


def test_a_worker_needs_no_pyarrow() -> None:
    """Importing the reader imports neither pyarrow nor anything of the builder."""
    listed = "import sys, offloader.segment.read; print(*sys.modules)"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", listed], cwd=root, capture_output=True, text=True, check=True
    )
    modules = run.stdout.split()
    assert "pyarrow" not in modules
    assert [name for name in modules if name.startswith("offloader.segment.build")] == []


def test_a_segment_knows_its_snapshot(parts: dict[str, bytes]) -> None:
    """Identity and times are the manifest's."""
    segment = open_segment(parts["columns"], [parts["path"]])
    assert segment.dataset == FACTS.dataset
    assert segment.snapshot_id == FACTS.snapshot_id
    assert segment.manifest_digest == FACTS.manifest_digest
    assert (segment.watermark, segment.created_at) == (FACTS.watermark, FACTS.created_at)
    assert (segment.row_count, segment.tenant_column) == (5, "tenant")


def test_nothing_is_copied_and_nothing_is_writeable(parts: dict[str, bytes]) -> None:
    """Every array is a read-only view of the mapped part, even of memory that could be written."""
    writable = bytearray(parts["columns"])
    segment = open_segment(writable, [bytearray(parts["path"])])
    mapped = np.frombuffer(writable, np.uint8)
    for view in segment.columns.values():
        arrays = [a for a in (view.values, view.valid) if a is not None]
        assert all(np.shares_memory(array, mapped) for array in arrays)
        assert not any(array.flags.writeable for array in arrays)
    assert segment.ordinal is not None
    assert not segment.ordinal.flags.writeable
    assert not segment.paths[0].keys.flags.writeable


def test_slices_are_views_and_row_lists_are_gathered(usage: Table) -> None:
    """A contiguous range costs no copy; any rows can be asked for in any order."""
    calls = build(usage).columns["calls"]
    assert calls.values is not None
    assert np.shares_memory(calls.gather(slice(1, 3)), calls.values)
    assert calls.gather(np.array([4, 0], np.uint32)).tolist() == [2**62, 7]


@pytest.mark.parametrize(
    "rows", [slice(0, 20), slice(3, 17), slice(9, 9), slice(None), slice(15, 99)]
)
def test_validity_of_a_slice(rows: slice) -> None:
    """The bitmap is read from any bit to any bit."""
    valid = [n % 3 != 0 for n in range(20)]
    view = build(table("a BIGINT", [(n if keep else None,) for n, keep in enumerate(valid)]))
    found = view.columns["a"].is_valid(rows)
    assert found is not None
    assert found.tolist() == valid[rows]


def test_validity_of_chosen_rows() -> None:
    """Any rows can be asked for; a column without nulls answers None."""
    segment = build(table("a BIGINT, b BIGINT", [(n if n % 3 else None, n) for n in range(20)]))
    found = segment.columns["a"].is_valid(np.array([18, 1, 0, 19], np.uint32))
    assert found is not None
    assert found.tolist() == [False, True, False, True]
    assert segment.columns["b"].is_valid(slice(None)) is None


def test_texts_of_nulls_are_none(usage: Table) -> None:
    """VARCHAR and JSON are read as text, also in a column of nulls only."""
    segment = build(usage)
    assert segment.columns["account"].texts(np.array([2, 0, 3])) == [None, "ä", "b"]
    assert segment.columns["extra"].texts(slice(1, 5)) == ['"x"', "null", '{"a":1}', None]
    nulls = build(table("a VARCHAR, b JSON", [(None, None), (None, None)]))
    assert nulls.columns["a"].texts(slice(None)) == [None, None]
    assert nulls.columns["b"].texts(np.array([1])) == [None]


def test_a_column_is_read_by_what_it_holds(usage: Table) -> None:
    """JSON has no physical values and numbers have no text."""
    segment = build(usage)
    with pytest.raises(TypeError, match="JSON"):
        segment.columns["extra"].gather(slice(None))
    with pytest.raises(TypeError, match="no text"):
        segment.columns["calls"].texts(slice(None))
