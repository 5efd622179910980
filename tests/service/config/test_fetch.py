"""Fetching a project: whole, of one moment, bounded, and not twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offloader.catalog.documents import load_catalog
from offloader.errors import ConfigError, SourceUnavailable
from offloader.service.config.fetch import TRIES, fetch_revision
from offloader.service.config.revisions import Revision, Revisions
from offloader.stores.store import StoreDenied, denied
from tests.service.config.held_bucket import PLACE, HeldBucket, usage_bucket

FILES = {
    "offloader.yml",
    "datasets/usage.yml",
    "endpoints/usage_by_account.yml",
    "endpoints/usage_rows.yml",
    "keys/keys.yml",
}


@pytest.fixture
def bucket(tmp_path: Path) -> HeldBucket:
    return usage_bucket(tmp_path / "project")


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return Revisions(tmp_path / "cache", PLACE)


def fetched(bucket: HeldBucket, revisions: Revisions, now: float = 1000.0) -> Revision:
    """Fetch the project at a time."""
    return fetch_revision(bucket, PLACE, revisions, lambda: now)


def names_in(folder: Path) -> set[str]:
    """Return the files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_project_is_fetched_without_its_data(
    bucket: HeldBucket, revisions: Revisions, tmp_path: Path
) -> None:
    """Each of its files is read once, byte for byte; it means what the folder means."""
    revision = fetched(bucket, revisions)
    assert names_in(revision.files) == FILES == set(bucket.reads)
    assert len(bucket.reads) == len(FILES)
    assert load_catalog(revision.files) == load_catalog(tmp_path / "project")
    assert (revision.fetched_at, bucket.lists) == (1000.0, 2)


def test_what_is_there_already_is_not_read_again(bucket: HeldBucket, revisions: Revisions) -> None:
    """One list says so; new data beside the project changes nothing."""
    first = fetched(bucket, revisions)
    bucket.reads.clear()
    bucket.lists = 0
    bucket.objects["data/manifest.json"] = b"{}"
    assert fetched(bucket, revisions, 2000.0) == first
    assert (bucket.lists, bucket.reads) == (1, [])


def test_what_is_found_counts_as_new(bucket: HeldBucket, revisions: Revisions) -> None:
    """So that no replica removes it as one of the oldest."""
    folder = fetched(bucket, revisions).files.parent
    os.utime(folder, (0, 0))
    fetched(bucket, revisions)
    assert folder.stat().st_mtime > 0


def test_a_change_is_a_revision_of_its_own(bucket: HeldBucket, revisions: Revisions) -> None:
    """Going back is the first one again, also without reading it."""
    first, keys = fetched(bucket, revisions), bucket.objects["keys/keys.yml"]
    bucket.objects["keys/keys.yml"] = b"keys: []\n"
    second = fetched(bucket, revisions)
    assert second.id != first.id
    assert (second.files / "keys/keys.yml").read_bytes() == b"keys: []\n"
    bucket.objects["keys/keys.yml"] = keys
    bucket.reads.clear()
    assert fetched(bucket, revisions).id == first.id
    assert bucket.reads == []


def test_an_object_that_changes_meanwhile_is_listed_again(
    bucket: HeldBucket, revisions: Revisions
) -> None:
    """What is read is what was listed: never half of the old and half of the new."""
    changes = iter([b"keys: []\n"])

    def change(name: str) -> None:
        if name == "offloader.yml" and (content := next(changes, None)):
            bucket.objects["keys/keys.yml"] = content

    bucket.before_read = change
    revision = fetched(bucket, revisions)
    assert (revision.files / "keys/keys.yml").read_bytes() == b"keys: []\n"


def test_an_upload_under_way_is_waited_for(bucket: HeldBucket, revisions: Revisions) -> None:
    """A list that differs after the reads means that somebody is writing: read again."""
    held = bucket.objects.pop("keys/keys.yml")

    def upload(number: int) -> None:
        if number == 2:
            bucket.objects["keys/keys.yml"] = held

    bucket.before_list = upload
    assert names_in(fetched(bucket, revisions).files) == FILES
    assert bucket.lists == 3


def test_a_project_that_never_rests_is_taken_as_it_was_in_one_moment(
    bucket: HeldBucket, revisions: Revisions
) -> None:
    """After so many tries; every file is of the same list."""
    bucket.before_list = lambda number: bucket.objects.update(
        {
            "datasets/a.yml": str(number).encode(),
            "endpoints/b.yml": str(number).encode(),
        }
    )
    files = fetched(bucket, revisions).files
    assert (files / "datasets/a.yml").read_bytes() == (files / "endpoints/b.yml").read_bytes()
    assert bucket.lists == TRIES + 1


def test_a_project_that_changes_under_every_read_is_given_up(
    bucket: HeldBucket, revisions: Revisions
) -> None:
    """With a code of its own, to be tried again later; nothing is kept."""
    numbers = iter(range(100))
    bucket.before_read = lambda name: bucket.objects.update({name: str(next(numbers)).encode()})
    with pytest.raises(SourceUnavailable) as raised:
        fetched(bucket, revisions)
    assert raised.value.code == "config_unsettled"
    assert revisions.last_good() is None


@pytest.mark.parametrize(
    ("names", "size_bytes", "code"),
    [
        ([f"datasets/d{number}.yml" for number in range(501)], 1, "too_many_files"),
        ([f"datasets/d{number}.yml" for number in range(33)], 1 << 20, "project_too_large"),
        (["datasets/large.yml"], 2 << 20, "file_too_large"),
        (["datasets/../../../etc/cron.d/job.yml"], 1, "object_name_invalid"),
        ([f"data/{number}.parquet" for number in range(5001)], 1, "too_many_objects"),
    ],
)
def test_what_is_too_much_is_told_before_it_is_read(
    names: list[str],
    size_bytes: int,
    code: str,
    bucket: HeldBucket,
    revisions: Revisions,
    tmp_path: Path,
) -> None:
    """Only offloader.yml was read, which says what counts; nothing was written."""
    bucket.objects.update(dict.fromkeys(names, b""))
    bucket.sizes.update(dict.fromkeys(names, size_bytes))
    with pytest.raises(ConfigError) as raised:
        fetched(bucket, revisions)
    assert {problem.code for problem in raised.value.problems} == {code}
    assert set(bucket.reads) <= {"offloader.yml"}
    assert names_in(tmp_path / "cache") == set()


def test_bytes_that_are_not_the_stores_are_read_again(
    bucket: HeldBucket, revisions: Revisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checksum that differs once was a damage on the way."""
    real, damaged = bucket.read, iter([True])

    def read(*arguments: object) -> object:
        content = b"".join(real(*arguments))  # type: ignore[arg-type]
        yield bytes(len(content)) if next(damaged, False) else content

    monkeypatch.setattr(bucket, "read", read)
    assert names_in(fetched(bucket, revisions).files) == FILES


def test_a_denial_says_what_it_takes(bucket: HeldBucket, revisions: Revisions) -> None:
    """It is not tried again."""
    bucket.failure = denied("gs://bucket", "list objects")
    with pytest.raises(StoreDenied) as raised:
        fetched(bucket, revisions)
    assert "storage.objects.list" in raised.value.hint
    assert bucket.lists == 1
