"""What a commit marker may say of its files."""

from __future__ import annotations

import pytest

from offloader.errors import SnapshotRefused
from offloader.sources.commit_marker import added_files, transaction_of
from tests.sources.commits import marker_text, part_name

A, B = "7315066556330505739", "2573423067284639534"

HOSTILE = {
    "../other/part-0.parquet": "path_leaves_project",
    "a/../../part-0.parquet": "path_leaves_project",
    "/etc/part-0.parquet": "path_absolute",
    "a//part-0.parquet": "path_invalid",
    "./part-0.parquet": "path_invalid",
    "a\\part-0.parquet": "path_invalid",
    "part-0\n.parquet": "path_invalid",
    "x" * 1025 + ".parquet": "path_invalid",
    "gs://other/part-0.parquet": "url_unsupported",
    "https://host/part-0.parquet": "url_unsupported",
    "day=2026-01-01/part-0.parquet": "partitioned_unsupported",
    "part-0.csv": "commit_not_parquet",
    "part-0.parquet.gz": "commit_not_parquet",
    "": "path_invalid",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused(name: str) -> None:
    """One is enough: to leave it out would serve a part of the snapshot."""
    with pytest.raises(SnapshotRefused) as refused:
        added_files(marker_text([part_name(A), name]).encode(), "_committed_1")
    assert [problem.code for problem in refused.value.problems] == [HOSTILE[name]]


def test_every_bad_name_is_told_up_to_a_hundred() -> None:
    """All problems at once, and not the names themselves without end."""
    names = [f"../{number:03d}.parquet" for number in range(150)]
    with pytest.raises(SnapshotRefused) as refused:
        added_files(marker_text(names).encode(), "_committed_1")
    assert len(refused.value.problems) == 100
    assert refused.value.problems[0].message == '"../000.parquet" cannot be read'


def test_a_file_that_is_added_twice_is_refused() -> None:
    """Its rows would count twice."""
    text = marker_text([part_name(A), part_name(B), part_name(A)])
    with pytest.raises(SnapshotRefused) as refused:
        added_files(text.encode(), "_committed_1")
    assert refused.value.code == "duplicate_file"


def test_too_many_files_are_refused() -> None:
    """A manifest lists at most 100,000."""
    with pytest.raises(SnapshotRefused) as refused:
        added_files(marker_text([""] * 100_001).encode(), "_committed_1")
    assert refused.value.code == "too_many_files"


def test_hidden_files_are_left_out() -> None:
    """Spark does not read what begins with `_` or `.`, in any folder."""
    hidden = ["_SUCCESS", ".part-0.parquet.crc", "_x/part-0.parquet", "a/.b/part-0.parquet"]
    names = [*hidden, part_name(B), "more/part-1.gz.parquet"]
    found = added_files(marker_text(names).encode(), "_committed_1")
    assert found == ("more/part-1.gz.parquet", part_name(B))
    with pytest.raises(SnapshotRefused) as refused:
        added_files(marker_text(hidden).encode(), "_committed_1")
    assert refused.value.code == "commit_empty"


def test_names_of_markers() -> None:
    """A commit's name is `_committed_` and an id; everything else is no commit."""
    assert transaction_of(f"_committed_{A}") == A
    assert transaction_of("_committed_8b1f-44aa") == "8b1f-44aa"
    others = ("_committed_", "_started_1", "_committed_vacuum1", "_committed_1/2", "x_committed_1")
    assert [transaction_of(name) for name in others] == [None] * 5
