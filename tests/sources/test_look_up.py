"""Many files are looked up with few requests, and no list is believed against the objects."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import pytest

from offloader.catalog.manifest import ManifestFile
from offloader.errors import Problem, SnapshotRefused
from offloader.sources.remote import Place, place_of
from offloader.stores.location import Location, parse_url
from offloader.stores.store import StoredObject, StoreFailed, denied
from tests.sources.remote_snapshots import HeldStores, held_files, open_at
from tests.stores.held_store import HeldStore

COLUMNS = [("name", "VARCHAR")]
AT = Location("gs", "bucket", "p/manifest.json")


class CountedStore(HeldStore):
    """Counts its calls; `listing` is what a list answers, None: what is there."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.looks: list[str] = []
        self.lists: list[tuple[str, int]] = []
        self.listing: list[StoredObject] | None = None
        self.refusal: StoreFailed | None = None
        self._counting = Lock()

    def stat(self, key: str) -> StoredObject:
        with self._counting:
            self.looks.append(key)
        return super().stat(key)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        self.lists.append((prefix, most))
        if self.refusal is not None:
            raise self.refusal
        if self.listing is not None:
            return self.listing
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        return [HeldStore.stat(self, key) for key in keys[: most + 1]]


def many(count: int) -> tuple[CountedStore, dict[str, object]]:
    """Return a store of so many files of one row in two folders, and their manifest."""
    files = {f"day={n % 2}/{n:04d}.csv": b"name\nx\n" for n in range(count)}
    held, document = held_files(files, COLUMNS)
    return CountedStore(held.objects), document


def test_a_few_files_are_asked_for_one_by_one(tmp_path: Path) -> None:
    """Up to fifty: whoever may read objects need not be allowed to list them."""
    store, document = many(50)
    snapshot = open_at(AT, document, HeldStores(store), tmp_path)
    assert len(snapshot.files) == 50
    assert (len(store.looks), store.lists) == (50, [])


def test_many_files_are_listed_at_once(tmp_path: Path) -> None:
    """One list of what they have in common answers for all."""
    store, document = many(51)
    snapshot = open_at(AT, document, HeldStores(store), tmp_path)
    assert [one.file.path for one in snapshot.files] == [
        f"day={n % 2}/{n:04d}.csv" for n in range(51)
    ]
    assert (store.looks, store.lists) == ([], [("p/day=", 1102)])


@pytest.mark.parametrize(
    "refusal",
    [denied("gs://bucket", "list objects"), StoreFailed("listing_unsupported", "it cannot list")],
)
def test_a_bucket_that_does_not_list_is_asked_for_each(
    tmp_path: Path, refusal: StoreFailed
) -> None:
    """For want of permission, or because it never can."""
    store, document = many(60)
    store.refusal = refusal
    assert len(open_at(AT, document, HeldStores(store), tmp_path).files) == 60
    assert len(store.looks) == 60


def test_a_list_that_fails_is_not_made_up_for(tmp_path: Path) -> None:
    """A busy store is not asked for sixty objects in its stead."""
    store, document = many(60)
    store.refusal = StoreFailed("store_busy", "gs://bucket answered 503")
    with pytest.raises(StoreFailed, match="503"):
        open_at(AT, document, HeldStores(store), tmp_path)
    assert store.looks == []


def test_an_old_list_refuses_nothing(tmp_path: Path) -> None:
    """What it lacks, or has with another size, is asked for."""
    store, document = many(60)
    store.listing = [
        StoredObject(key, len(content), "v", 0.0) for key, content in store.objects.items()
    ]
    store.listing[7] = StoredObject(store.listing[7].key, 3, "old", 0.0)
    lacking = store.listing.pop(5).key
    assert len(open_at(AT, document, HeldStores(store), tmp_path).files) == 60
    assert sorted(store.looks) == sorted([lacking, store.listing[6].key])


def test_at_most_a_hundred_problems_are_looked_for(tmp_path: Path) -> None:
    """Of a thousand files that are all absent the first hundred are told."""
    store, document = many(1000)
    store.objects.clear()
    with pytest.raises(SnapshotRefused) as caught:
        open_at(AT, document, HeldStores(store), tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["file_missing"] * 100
    assert len(store.looks) == 256


def test_a_file_that_a_path_and_a_url_name_is_listed_twice(tmp_path: Path) -> None:
    """Its rows would count twice."""
    files = {"a.csv": b"name\nx\n", "gs://bucket/p/a.csv": b"name\nx\n"}
    store, document = held_files(files, COLUMNS)
    with pytest.raises(SnapshotRefused) as caught:
        open_at(AT, document, HeldStores(store), tmp_path)
    assert [(one.file, one.code) for one in caught.value.problems] == [
        ("gs://bucket/p/a.csv", "duplicate_file")
    ]


@pytest.mark.parametrize(
    ("manifest", "path", "place"),
    [
        ("gs://b/p/m.json", "a b%.csv", "gs://b/p/a b%.csv"),
        ("s3://b/m.json", "./x//a.csv", "s3://b/x/a.csv"),
        ("https://h/p/m.json?key=1", "a b%?#.csv", "https://h/p/a%20b%25%3F%23.csv"),
        ("https://h/p/m.json", "day=1/ü.csv", "https://h/p/day=1/%C3%BC.csv"),
        ("gs://b/p/m.json", "https://h/a.csv?key=1", "https://h/a.csv?key=1"),
    ],
)
def test_a_path_is_taken_by_its_letter(manifest: str, path: str, place: str) -> None:
    """A name is no part of a URL: behind HTTPS it is escaped. A URL stands for itself."""
    file = ManifestFile(path, "csv", 0, 0)
    found = place_of(file, parse_url(manifest))
    assert isinstance(found, Place)
    assert str(found.at) == place


def test_a_url_without_a_host_is_a_problem_of_its_file() -> None:
    """It is refused with the others, and without its query."""
    file = ManifestFile("https://[/a.csv?key=1", "csv", 0, 0)
    found = place_of(file, AT)
    assert isinstance(found, Problem)
    assert (found.file, found.code) == ("https://[/a.csv", "url_unsupported")
