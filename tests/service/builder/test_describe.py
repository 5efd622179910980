"""A commit is described in a process of its own, which knows how to reach the store."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.builder.describe import Describer, describe_job, run_describe
from offloader.sources.commit_describe import describe_commit
from offloader.sources.databricks import newest_commit
from offloader.stores.access import Access
from offloader.stores.location import Location
from tests.sources.commits import CommitFolder, part_name

A = "7315066556330505739"
LIMIT_SECONDS = 60.0


def children() -> set[str]:
    """Return the processes of this one, emulators of other tests among them."""
    found = set[str]()
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found.update(path.read_text().split())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> CommitFolder:
    made = CommitFolder(tmp_path)
    made.publish(A, 10, {"account": ["a", "b"], "extra": ["{}", "[]"]})
    return made


def job_of(folder: CommitFolder, waited_seconds: float = 0) -> dict[str, object]:
    place = Location("file", "/", str(folder.root / folder.prefix).lstrip("/"))
    commit = newest_commit(folder.store, folder.prefix)
    return describe_job(
        "usage",
        place,
        commit,
        Access(),
        json_columns=("extra",),
        waited_seconds=waited_seconds,
    )


def test_the_process_makes_the_very_manifest(folder: CommitFolder) -> None:
    """The bytes are those that describing here gives."""
    commit = newest_commit(folder.store, folder.prefix)
    expected = describe_commit(
        folder.store, folder.prefix, commit, dataset_id="usage", json_columns=("extra",)
    )
    assert run_describe(job_of(folder), limit_seconds=LIMIT_SECONDS) == expected


def test_failures_come_back_as_what_they_were(folder: CommitFolder) -> None:
    """A refusal with its problems, and what may pass as a transient failure."""
    folder.remove(part_name(A))
    with pytest.raises(SourceUnavailable) as failed:
        run_describe(job_of(folder), limit_seconds=LIMIT_SECONDS)
    assert failed.value.code == "commit_file_missing"
    with pytest.raises(SnapshotRefused) as refused:
        run_describe(job_of(folder, waited_seconds=600), limit_seconds=LIMIT_SECONDS)
    assert [problem.code for problem in refused.value.problems] == ["commit_file_missing"]


def test_a_process_that_is_killed_is_a_transient_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: CommitFolder
) -> None:
    """As that of a build is."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(SourceUnavailable) as failed:
        run_describe(job_of(folder), limit_seconds=LIMIT_SECONDS)
    assert failed.value.code == "builder_killed"


def test_many_that_wait_share_a_process(folder: CommitFolder) -> None:
    """Each gets its own manifest, and no process is left behind."""
    describer, before = Describer(limit_seconds=LIMIT_SECONDS), children()
    jobs = [{**job_of(folder), "dataset": f"usage_{number}"} for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = [json.loads(raw)["dataset_id"] for raw in pool.map(describer, jobs)]
    assert found == [f"usage_{number}" for number in range(4)]
    assert children() <= before


def test_the_job_holds_what_the_process_needs_and_is_json(folder: CommitFolder) -> None:
    """It goes over a pipe, with the credentials."""
    place = Location("gs", "lake", "export/usage")
    commit = newest_commit(folder.store, folder.prefix)
    job = describe_job("usage", place, commit, Access(gcs_token="t0ken"))
    assert json.loads(json.dumps(job)) == {
        "kind": "describe",
        "dataset": "usage",
        "folder": "gs://lake/export/usage",
        "commit": {
            "tid": A,
            "key": f"export/usage/_committed_{A}",
            "version": commit.version,
            "committed_at": 1_790_000_010.0,
            "added": [part_name(A)],
        },
        "access": Access(gcs_token="t0ken").as_document() | {"https_hosts": []},
        "json_columns": [],
        "waited_seconds": 0.0,
    }
