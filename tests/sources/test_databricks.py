"""Which commit of a Databricks folder is the newest, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.databricks import Commit, newest_commit
from tests.sources.commits import BEGAN, CommitFolder, marker_text, part_name

A, B, C = "7315066556330505739", "2573423067284639534", "4790749035172336934"


@pytest.fixture
def folder(tmp_path: Path) -> CommitFolder:
    return CommitFolder(tmp_path)


def newest(folder: CommitFolder) -> Commit:
    return newest_commit(folder.store, folder.prefix)


def failure(folder: CommitFolder, waited_seconds: float = 0) -> SnapshotRefused | SourceUnavailable:
    with pytest.raises((SnapshotRefused, SourceUnavailable)) as failed:
        newest_commit(folder.store, folder.prefix, waited_seconds=lambda _: waited_seconds)
    error = failed.value
    assert isinstance(error, SnapshotRefused | SourceUnavailable)
    assert error.hint
    return error


def test_a_commit_is_its_marker_and_the_files_it_adds(folder: CommitFolder) -> None:
    """Id, key, version and time are the marker's; files come sorted by name."""
    folder.commit(A, 10, [part_name(A, 1), part_name(A, 0)])
    marker = folder.store.stat(f"export/usage/_committed_{A}")
    added = (part_name(A, 0), part_name(A, 1))
    assert newest(folder) == Commit(
        A, f"export/usage/_committed_{A}", marker.version, BEGAN + 10, added
    )
    assert Commit.from_document(newest(folder).as_document()) == newest(folder)


@pytest.mark.parametrize("prefix", ["", "export", "export/usage/", "a=1"])
def test_a_prefix_may_be_empty_or_end_with_a_slash(tmp_path: Path, prefix: str) -> None:
    """The folder is the same, and the key has one slash between."""
    folder = CommitFolder(tmp_path, prefix)
    folder.commit(A, 10, [part_name(A)])
    assert newest(folder).key == f"{prefix.rstrip('/')}/_committed_{A}".lstrip("/")


def test_the_newest_of_several_commits_wins_by_the_stores_time(folder: CommitFolder) -> None:
    """Ids of transactions are random, so their order means nothing."""
    folder.commit(A, 10, [part_name(A)])
    folder.commit(B, 30, [part_name(B)])
    folder.commit(C, 20, [part_name(C)])
    assert (newest(folder).tid, newest(folder).added) == (B, (part_name(B),))


def test_commits_of_the_same_time_are_ordered_by_their_ids(folder: CommitFolder) -> None:
    """Every replica has to choose the same one: the larger text."""
    for tid in (B, A, C):
        folder.commit(tid, 10, [part_name(tid)])
    assert newest(folder).tid == A


def test_clocks_need_not_agree(folder: CommitFolder) -> None:
    """A store whose clock is years ahead or behind names the same commit."""
    folder.commit(A, -900_000_000, [part_name(A)])
    folder.commit(B, 900_000_000, [part_name(B)])
    assert newest(folder).tid == B
    folder.remove(f"_committed_{B}")
    assert newest(folder).tid == A


def test_a_vacuum_is_never_a_commit(folder: CommitFolder) -> None:
    """Neither as the newest marker, nor under another spelling, nor alone."""
    folder.commit(A, 10, [part_name(A)])
    vacuum = marker_text([], [f"_committed_{A}", "_committed_vacuum6375415154405007968"])
    folder.write("_committed_vacuum6375415154405007968", vacuum, 20)
    folder.write("_committed_vacuum_77", marker_text([part_name(B)]), 30)
    folder.write("_committed_vacuum", marker_text([part_name(B)]), 40)
    assert newest(folder).tid == A
    folder.remove(f"_committed_{A}")
    assert failure(folder).code == "commit_missing"


def test_files_that_a_commit_removes_are_not_its_own(folder: CommitFolder) -> None:
    """An overwrite adds its files and removes those of the commit before."""
    folder.commit(A, 10, [part_name(A, 0), part_name(A, 1)])
    folder.commit(B, 20, [part_name(B)], removed=[part_name(A, 0), part_name(A, 1)])
    assert newest(folder).added == (part_name(B),)


@pytest.mark.parametrize("half", ["", "{", '{"added":["part-000', "nothing", "[]", '"x"', "null"])
def test_a_half_written_marker_does_not_count_yet(folder: CommitFolder, half: str) -> None:
    """The commit before it goes on; once it is whole it is the newest."""
    folder.commit(A, 10, [part_name(A)])
    folder.write(f"_committed_{B}", half, 20)
    assert newest(folder).tid == A
    folder.commit(B, 30, [part_name(B)])
    assert newest(folder).tid == B


def test_a_half_written_marker_alone_is_waited_for(folder: CommitFolder) -> None:
    """Nothing else is there: it is a transient failure that names the marker."""
    folder.write(f"_committed_{A}", '{"added":[', 10)
    error = failure(folder)
    assert isinstance(error, SourceUnavailable)
    assert error.code == "commit_unfinished"
    expected = f"_committed_{A} is not whole: Expecting value, line 1 column 11"
    assert error.message == expected


def test_a_marker_that_stays_half_written_is_told(folder: CommitFolder) -> None:
    """After ten minutes it is refused, so that somebody sees it, though one before it is fine."""
    folder.commit(A, 10, [part_name(A)])
    folder.write(f"_committed_{B}", "", 20)
    assert newest_commit(folder.store, folder.prefix, waited_seconds=lambda _: 599.9).tid == A
    error = failure(folder, waited_seconds=600)
    assert isinstance(error, SnapshotRefused)
    assert error.code == "commit_unreadable"
    assert error.message == f"_committed_{B} is empty, for 10 minutes now"


def test_only_the_marker_that_is_not_whole_is_waited_for(folder: CommitFolder) -> None:
    """A newer commit that is whole ends the matter."""
    folder.write(f"_committed_{A}", "", 10)
    folder.commit(B, 20, [part_name(B)])
    assert newest_commit(folder.store, folder.prefix, waited_seconds=lambda _: 1e9).tid == B


def test_a_commit_that_adds_nothing_is_refused(folder: CommitFolder) -> None:
    """Nothing tells its schema; the one before is not served in its place, for it is gone."""
    folder.commit(A, 10, [part_name(A)])
    folder.commit(B, 20, [], removed=[part_name(A)])
    error = failure(folder)
    assert isinstance(error, SnapshotRefused)
    assert error.code == "commit_empty"
    assert error.message == f"_committed_{B} adds no file, so nothing tells the schema"


@pytest.mark.parametrize("text", ["{}", '{"added":{}}', '{"added":null}', '{"added":["a",1]}'])
def test_a_marker_without_a_list_of_files_is_refused(folder: CommitFolder, text: str) -> None:
    """It is whole, so nothing will come after it."""
    folder.commit(A, 10, [part_name(A)])
    folder.write(f"_committed_{B}", text, 20)
    error = failure(folder)
    assert (type(error), error.code) == (SnapshotRefused, "commit_invalid")


def test_a_job_that_only_began_is_waited_for(folder: CommitFolder) -> None:
    """Files without a commit are nobody's; the hint says that a job is under way."""
    folder.start(A)
    folder.write(part_name(A), b"PAR1")
    error = failure(folder)
    assert isinstance(error, SourceUnavailable)
    assert error.code == "commit_missing"
    assert error.message == f"{folder.store.url}/export/usage holds no commit marker"
    assert error.hint == "a job has begun and not committed yet: it is looked at again"


def test_an_empty_folder_is_waited_for(folder: CommitFolder) -> None:
    """The prefix may be wrong, or the first job still to run."""
    (folder.root / folder.prefix).mkdir(parents=True)
    error = failure(folder)
    assert (type(error), error.code) == (SourceUnavailable, "commit_missing")
    assert error.hint.startswith("check bucket and prefix")


def test_a_delta_table_is_told_apart(folder: CommitFolder) -> None:
    """Its log is no commit marker of this kind: the hint says what to write instead."""
    folder.write("_delta_log/00000000000000000000.json", "{}")
    folder.write("part-00000.snappy.parquet", b"PAR1")
    assert failure(folder).hint.startswith("this is a Delta table")


def test_markers_of_folders_below_belong_to_others(folder: CommitFolder) -> None:
    """Only what lies right in the folder counts, and only a marker's whole name."""
    folder.commit(A, 10, [part_name(A)])
    CommitFolder(folder.root, "export/usage/more").commit(B, 20, [part_name(B)])
    CommitFolder(folder.root, "export/usage/_committed_9").commit(B, 20, [part_name(B)])
    CommitFolder(folder.root, "export/usage_2").commit(B, 20, [part_name(B)])
    for name in ("_committed_", f"_committed_{B}.crc", f"_committed_{B}_2", f"._committed_{B}"):
        folder.write(name, marker_text([part_name(B)]), 20)
    assert newest(folder).tid == A


def test_partitioned_output_is_refused(folder: CommitFolder) -> None:
    """Its markers lie in the folders of its values, and its files lack the column."""
    for day in ("2026-01-01", "2026-01-02"):
        CommitFolder(folder.root, f"export/usage/day={day}").commit(A, 10, [part_name(A)])
    error = failure(folder)
    assert (type(error), error.code) == (SnapshotRefused, "partitioned_unsupported")
