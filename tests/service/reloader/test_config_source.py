"""A watched project in a bucket: one list while nothing changes, and every change told once."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from offloader.errors import SourceUnavailable
from offloader.service.config.revisions import Fetched, Revisions
from offloader.service.project import Project
from offloader.service.reloader.config_source import BucketSource, FolderSource, source_of
from offloader.service.reloader.config_watch import ConfigSeen, ConfigWatch
from offloader.stores.access import Access
from offloader.stores.open import Stores
from offloader.stores.store import unreachable
from tests.service.building import loaded, wait_for
from tests.service.config.held_bucket import PLACE, HeldBucket, usage_bucket

PROJECT, DATASET, KEYS = "offloader.yml", "datasets/usage.yml", "keys/keys.yml"


class Watch:
    """A watch over a project in a bucket, and what it told."""

    def __init__(self, folder: Path, interval_seconds: float = 100.0) -> None:
        self.bucket = usage_bucket(folder / "project")
        self.told: queue.SimpleQueue[ConfigSeen] = queue.SimpleQueue()
        self.revisions = Revisions(folder / "cache", PLACE)
        self.source = BucketSource(
            PLACE, lambda: self.bucket, self.revisions, lambda: 1000.0, settle_seconds=0.0
        )
        self.watch = ConfigWatch(self.source, interval_seconds, self.told.put, chance=lambda: 0.5)

    def look(self) -> ConfigSeen | None:
        """Look once; return what it told, None for nothing."""
        self.bucket.lists = 0
        self.bucket.reads.clear()
        self.watch.look()
        return None if self.told.empty() else self.told.get()

    def asked(self) -> tuple[int, int]:
        """Return how many lists and reads the last look took."""
        return self.bucket.lists, len(self.bucket.reads)

    def edit(self, name: str, **fields: object) -> None:
        """Change top-level fields of one file."""
        document = yaml.safe_load(self.bucket.objects[name])
        self.bucket.objects[name] = yaml.safe_dump({**document, **fields}).encode()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def project_of(seen: ConfigSeen | None) -> Project:
    """Return the project that was told."""
    assert seen is not None
    assert (seen.problems, seen.failure) == ((), None)
    assert seen.project is not None
    return seen.project


def codes_of(seen: ConfigSeen | None) -> list[str]:
    """Return the codes of what is wrong."""
    assert seen is not None
    assert (seen.project, seen.failure) == (None, None)
    return [problem.code for problem in seen.problems]


def test_the_first_look_tells_what_is_there(watch: Watch, tmp_path: Path) -> None:
    """Its relative paths are in the bucket; it says when it was fetched."""
    seen = watch.look()
    project = project_of(seen)
    there = loaded(tmp_path / "project")
    assert (project.catalog, project.documents) == (there.catalog, there.documents)
    assert project.base == PLACE
    assert seen is not None
    assert seen.fetched_at == 1000.0


def test_nothing_new_is_one_list(watch: Watch) -> None:
    """However often it is looked, and however many snapshots are published beside it."""
    watch.look()
    for number in range(3):
        watch.bucket.objects["data/manifest.json"] = str(number).encode()
        assert watch.look() is None
        assert watch.asked() == (1, 0)


def test_what_main_has_fetched_is_not_read_again(tmp_path: Path) -> None:
    """A reloader that starts finds it on the volume."""
    Watch(tmp_path).look()
    watch = Watch(tmp_path)
    project_of(watch.look())
    assert watch.asked() == (3, 0)


def test_a_change_is_told_once(watch: Watch) -> None:
    """It settles first, then its files are read."""
    watch.look()
    watch.edit(DATASET, description="other words")
    project = project_of(watch.look())
    assert project.catalog.datasets["usage"].description == "other words"
    assert watch.asked() == (4, 5)
    assert watch.look() is None


def test_what_is_wrong_is_told_once_and_so_is_its_repair(watch: Watch) -> None:
    """While nothing changes it costs one list, as ever."""
    watch.look()
    good = watch.bucket.objects[DATASET]
    watch.edit(DATASET, pin="a b")
    assert codes_of(watch.look()) == ["bad_snapshot_id"]
    assert watch.look() is None
    assert watch.asked() == (1, 0)
    watch.bucket.objects[DATASET] = good
    project_of(watch.look())


def test_a_refused_project_is_looked_at_until_it_is_mended(watch: Watch) -> None:
    """Also where offloader.yml has just sent it: there was no file of the project before."""
    watch.look()
    watch.edit(PROJECT, datasets_dir="moved")
    watch.bucket.objects["moved/usage.yml"] = bytes(2 << 20)
    assert codes_of(watch.look()) == ["file_too_large"]
    watch.bucket.objects["moved/usage.yml"] = watch.bucket.objects[DATASET]
    seen = watch.look()
    project = project_of(seen)
    assert list(project.documents["datasets"]) == ["moved/usage.yml"]


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda b: b.objects.pop(PROJECT), "project_missing"),
        (lambda b: b.objects.update({"datasets/../x.yml": b""}), "object_name_invalid"),
        (
            lambda b: b.objects.update({f"datasets/d{n}.yml": b"" for n in range(501)}),
            "too_many_files",
        ),
        (lambda b: b.objects.update({f"d/{n}": b"" for n in range(5001)}), "too_many_objects"),
        (lambda b: b.objects.pop(KEYS), "file_missing"),
    ],
)
def test_a_broken_listing_heals(
    break_it: Callable[[HeldBucket], object], code: str, watch: Watch
) -> None:
    """The one before goes on; once it is mended it is told again."""
    watch.look()
    good = dict(watch.bucket.objects)
    break_it(watch.bucket)
    assert set(codes_of(watch.look())) == {code}
    watch.bucket.objects = good
    project_of(watch.look())


def test_a_bucket_that_does_not_answer_is_told_and_so_is_its_return(watch: Watch) -> None:
    """What it held before is not told again."""
    watch.look()
    watch.bucket.failure = unreachable("gs://bucket", "no route")
    seen = watch.look()
    assert seen is not None
    assert (seen.project, seen.problems, seen.failure) == (None, (), watch.bucket.failure)
    watch.bucket.failure = None
    back = watch.look()
    assert back is not None
    assert back.is_unchanged
    assert watch.look() is None


def test_a_change_during_an_outage_is_told_after_it(watch: Watch) -> None:
    """It heals by itself."""
    watch.look()
    watch.bucket.failure = unreachable("gs://bucket", "no route")
    watch.look()
    watch.edit(DATASET, description="other words")
    watch.bucket.failure = None
    assert project_of(watch.look()).catalog.datasets["usage"].description == "other words"


def test_pauses_grow_up_to_the_interval(watch: Watch) -> None:
    """And vary, so that replicas do not come back together; a success ends them."""
    assert watch.watch.pause_seconds() == 100.0
    watch.bucket.failure = unreachable("gs://bucket", "no route")
    pauses = []
    for _ in range(9):
        watch.look()
        pauses.append(watch.watch.pause_seconds())
    assert pauses == [1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 75.0, 75.0, 75.0]
    watch.bucket.failure = None
    watch.look()
    assert watch.watch.pause_seconds() == 100.0


def test_without_an_interval_nobody_asks_again(tmp_path: Path) -> None:
    """Only the next signal does."""
    watch = Watch(tmp_path, interval_seconds=0.0)
    watch.bucket.failure = unreachable("gs://bucket", "no route")
    watch.look()
    assert watch.watch.pause_seconds() == 0.0


def test_restarts_follow_once_it_is_in_effect(watch: Watch) -> None:
    """Not when it is seen: it may be wrong, or main may refuse it."""
    seen = watch.look()
    assert seen is not None
    assert watch.revisions.last_good() is None
    seen.on_applied()
    wait_for(lambda: watch.revisions.last_good() is not None)


def test_a_full_volume_keeps_no_config_out(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A revoked key must be revoked; it is only not there after a restart."""

    def full(_fetched: Fetched, _now: float) -> None:
        raise SourceUnavailable("disk_full", "the cache volume is full", "free space")

    monkeypatch.setattr(watch.revisions, "keep", full)
    watch.bucket.objects[KEYS] = b"keys: []\n"
    assert project_of(watch.look()).catalog.keys == ()
    assert watch.look() is None
    assert [record.getMessage() for record in caplog.records] == ["config_not_kept"]
    assert watch.revisions.last_good() is None


def test_a_project_is_watched_where_it_came_from(tmp_path: Path, watch: Watch) -> None:
    """A folder in the folder, a bucket in the bucket."""
    stores = Stores(Access())
    there = loaded(tmp_path / "project")
    assert isinstance(source_of(there, None, stores), FolderSource)
    bucket = project_of(watch.look())
    assert isinstance(source_of(bucket, watch.revisions, stores), BucketSource)
