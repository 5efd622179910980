"""Looks at a Databricks folder: when its manifest is made, and when a kept one is taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Catalog, Column, DatabricksSource, Dataset
from offloader.catalog.types import ColumnType, Kind
from offloader.service.cache import Cache
from offloader.service.lookout import Lookout
from offloader.service.project import Project
from offloader.sources.commit_describe import describe_commit
from offloader.sources.databricks import Commit
from offloader.stores.access import Access
from offloader.stores.local import LocalStore
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectStore
from tests.sources.commits import CommitFolder, part_name

A, B = "7315066556330505739", "2573423067284639534"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommitFolder:
    """A folder of the bucket `lake`, which is a folder of this machine."""

    def at(_: Stores, location: Location) -> ObjectStore:
        assert str(location) == "gs://lake/usage"
        return LocalStore(str(tmp_path / "lake"))

    monkeypatch.setattr(Stores, "at", at)
    return CommitFolder(tmp_path / "lake", "usage")


class Looking:
    """A lookout of a process of its own over a cache; `described` are the transactions it had."""

    def __init__(self, folder: CommitFolder) -> None:
        self.described: list[str] = []
        self._folder = folder
        self._lookout = Lookout(
            Cache(folder.root.parent / "cache"), Access(gcs_auth="none"), self._describe
        )

    def look(self, kind: Kind = Kind.VARCHAR) -> Manifest:
        """Look once at a dataset whose one column is of a type."""
        columns = (Column("text", ColumnType(kind)),)
        dataset = Dataset("usage", columns, source=DatabricksSource("lake", "usage", 30.0))
        project = Project(self._folder.root, {}, Catalog(True, {}, {}, ()))
        return self._lookout.look(project, dataset).manifest

    def _describe(self, job: Mapping[str, Any]) -> bytes:
        commit = Commit.from_document(job["commit"])
        self.described.append(commit.tid)
        return describe_commit(
            self._folder.store,
            self._folder.prefix,
            commit,
            dataset_id=job["dataset"],
            json_columns=job["json_columns"],
        )


def test_a_commit_is_described_once(folder: CommitFolder) -> None:
    """However often it is looked at; the next one is described again."""
    folder.publish(A, 10, {"text": ["x"]})
    looking = Looking(folder)
    assert [looking.look().snapshot_id for _ in range(3)] == [f"tid_{A}"] * 3
    folder.publish(B, 20, {"text": ["y"]})
    assert looking.look().snapshot_id == f"tid_{B}"
    assert looking.described == [A, B]


def test_a_manifest_is_kept_over_a_restart(folder: CommitFolder) -> None:
    """The files of its commit may be gone by then."""
    folder.publish(A, 10, {"text": ["x"]})
    manifest = Looking(folder).look()
    folder.remove(part_name(A))
    again = Looking(folder)
    assert [again.look(), again.look()] == [manifest, manifest]
    assert again.described == []


def test_a_kept_manifest_of_another_time_is_not_its(folder: CommitFolder) -> None:
    """The same transaction, committed at another time, is looked into again."""
    folder.publish(A, 10, {"text": ["x"]})
    Looking(folder).look()
    folder.publish(A, 11, {"text": ["x", "y"]})
    again = Looking(folder)
    assert again.look().row_count == 2
    assert again.described == [A]


def test_a_kept_manifest_that_does_not_fit_the_contract_is_made_anew(folder: CommitFolder) -> None:
    """A column of text may be JSON by now."""
    folder.publish(A, 10, {"text": ["{}"]})
    assert [str(one.type) for one in Looking(folder).look().columns] == ["VARCHAR"]
    again = Looking(folder)
    assert [str(one.type) for one in again.look(Kind.JSON).columns] == ["JSON"]
    assert again.described == [A]
