"""What is remembered of folders that are watched for commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.model import Column, DatabricksSource, Dataset
from offloader.catalog.types import ColumnType, Kind
from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.commit_watch import CommitWatch
from offloader.stores.access import Access
from offloader.stores.local import LocalStore
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectStore
from tests.sources.commits import CommitFolder, part_name

A, B = "7315066556330505739", "2573423067284639534"


class Buckets(Stores):
    """Buckets that are folders; all reads of objects are counted."""

    def __init__(self, root: Path) -> None:
        super().__init__(Access())
        self._root = root
        self.places: list[tuple[str, str]] = []

    def at(self, location: Location) -> ObjectStore:
        self.places.append((location.scheme, location.root))
        return LocalStore(str(self._root / location.root))


@dataclass
class World:
    """A bucket `lake` with one folder, its watch, and a clock to set."""

    root: Path
    outcome: bytes | Exception = b"{}"
    now: float = 0.0
    jobs: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = CommitFolder(self.root / "lake", "usage")
        self.buckets = Buckets(self.root)
        access = Access(gcs_auth="none")
        self.watch = CommitWatch(self.buckets, access, lambda: self.now, self.describe)

    def describe(self, job: Mapping[str, Any]) -> bytes:
        """Note the job and do as is wished."""
        self.jobs.append(job)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def dataset(bucket: str = "lake", prefix: str = "usage") -> Dataset:
    columns = (
        Column("account", ColumnType(Kind.VARCHAR)),
        Column("extra", ColumnType(Kind.JSON)),
    )
    return Dataset("usage", columns, source=DatabricksSource(bucket, prefix, 30.0))


@pytest.mark.parametrize(
    ("bucket", "scheme"), [("lake", "gs"), ("gs://lake", "gs"), ("s3://lake", "s3")]
)
def test_a_bucket_without_a_scheme_is_googles(world: World, bucket: str, scheme: str) -> None:
    """Others say what they are."""
    world.folder.commit(A, 10, [part_name(A)])
    assert world.watch.newest(dataset(bucket)).tid == A
    assert world.buckets.places == [(scheme, "lake")]


def test_a_known_commit_is_not_read_again(world: World) -> None:
    """The same object comes back while its marker is the newest."""
    world.folder.commit(A, 10, [part_name(A)])
    commit = world.watch.newest(dataset())
    assert world.watch.newest(dataset()) is commit
    world.folder.commit(B, 20, [part_name(B)])
    assert world.watch.newest(dataset()).tid == B


def test_folders_are_told_apart(world: World) -> None:
    """A dataset that is pointed elsewhere begins anew there."""
    world.folder.commit(A, 10, [part_name(A)])
    CommitFolder(world.root / "pond", "usage").commit(B, 5, [part_name(B)])
    assert world.watch.newest(dataset()).tid == A
    assert world.watch.newest(dataset("pond")).tid == B
    assert world.watch.newest(dataset()).tid == A


def test_ten_minutes_count_from_when_a_half_written_marker_was_first_seen(world: World) -> None:
    """By one's own clock: the store's is decades off. Another version of it begins anew."""
    world.folder.commit(A, -900_000_000, [part_name(A)])
    world.folder.write(f"_committed_{B}", "{", -800_000_000)
    assert world.watch.newest(dataset()).tid == A
    world.now = 599.0
    assert world.watch.newest(dataset()).tid == A
    world.folder.write(f"_committed_{B}", '{"added"', -700_000_000)
    world.now = 600.0
    assert world.watch.newest(dataset()).tid == A
    world.now = 1199.0
    assert world.watch.newest(dataset()).tid == A
    world.now = 1200.0
    with pytest.raises(SnapshotRefused) as refused:
        world.watch.newest(dataset())
    assert refused.value.code == "commit_unreadable"
    world.folder.commit(B, -600_000_000, [part_name(B)])
    assert world.watch.newest(dataset()).tid == B


def test_a_manifest_is_made_by_a_job_that_knows_the_contract(world: World) -> None:
    """Which columns are JSON stands in no Parquet file; credentials travel with the job."""
    world.folder.commit(A, 10, [part_name(A)])
    commit = world.watch.newest(dataset())
    assert world.watch.manifest(dataset(), commit) == b"{}"
    assert world.jobs == [
        {
            "kind": "describe",
            "dataset": "usage",
            "folder": "gs://lake/usage",
            "commit": commit.as_document(),
            "access": Access(gcs_auth="none").as_document(),
            "json_columns": ["extra"],
            "waited_seconds": 0.0,
        }
    ]


def test_a_transient_failure_is_tried_at_each_look(world: World) -> None:
    """The job learns for how long, so that a file that never comes is refused in the end."""
    world.folder.commit(A, 10, [part_name(A)])
    commit = world.watch.newest(dataset())
    world.outcome = SourceUnavailable("commit_file_missing", "it is not there")
    for now in (0.0, 30.0, 700.0):
        world.now = now
        with pytest.raises(SourceUnavailable):
            world.watch.manifest(dataset(), commit)
    assert [job["waited_seconds"] for job in world.jobs] == [0.0, 30.0, 700.0]


def test_a_refused_commit_is_not_described_at_every_look(world: World) -> None:
    """Each takes a process: the same refusal comes back for ten minutes, or until a new commit."""
    world.folder.commit(A, 10, [part_name(A)])
    commit = world.watch.newest(dataset())
    world.outcome = SnapshotRefused("file_unreadable", "it is no Parquet file")
    for now in (0.0, 30.0, 599.0):
        world.now = now
        with pytest.raises(SnapshotRefused) as refused:
            world.watch.manifest(dataset(), commit)
        assert refused.value is world.outcome
    assert len(world.jobs) == 1
    world.now = 600.0
    with pytest.raises(SnapshotRefused):
        world.watch.manifest(dataset(), commit)
    assert len(world.jobs) == 2
    world.outcome = b"{}"
    world.folder.commit(B, 20, [part_name(B)])
    assert world.watch.manifest(dataset(), world.watch.newest(dataset())) == b"{}"
