"""What a look at a Databricks folder costs, and what it does not believe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused
from offloader.sources.databricks import newest_commit
from offloader.stores.store import StoredObject
from tests.sources.commits import CommitFolder, part_name

A, B = "7315066556330505739", "2573423067284639534"


@pytest.fixture
def folder(tmp_path: Path) -> CommitFolder:
    return CommitFolder(tmp_path)


class Counting:
    """A store that counts what it is asked for."""

    def __init__(self, folder: CommitFolder) -> None:
        self._store = folder.store
        self.url = self._store.url
        self.calls: list[str] = []

    def stat(self, key: str) -> StoredObject:
        self.calls.append("stat")
        return self._store.stat(key)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        self.calls.append("list")
        return self._store.list(prefix, most=most)

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        self.calls.append("read")
        return self._store.read(found, start, length)

    def write(self, key: str, content: object, size_bytes: int) -> None:
        raise AssertionError(f"{key}, {content}, {size_bytes}: a customer's bucket is only read")


class OldListing(Counting):
    """A store whose listings were made before something was written."""

    def __init__(self, folder: CommitFolder, prefix: str) -> None:
        super().__init__(folder)
        self._listed = folder.store.list(prefix, most=100)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        return [one for one in self._listed if one.key.startswith(prefix)][: most + 1]


def test_a_look_is_one_listing_and_reads_what_is_new(folder: CommitFolder) -> None:
    """However many markers there are; and a known commit is not read again."""
    for number in range(50):
        folder.commit(str(number), number, [part_name(str(number))])
    store = Counting(folder)
    commit = newest_commit(store, folder.prefix)
    assert (commit.tid, store.calls) == ("49", ["list", "read"])
    store.calls.clear()
    assert newest_commit(store, folder.prefix, known=commit) is commit
    assert store.calls == ["list"]
    folder.commit(A, 100, [part_name(A)])
    assert newest_commit(store, folder.prefix, known=commit).tid == A


def test_a_marker_that_was_written_again_is_read_again(folder: CommitFolder) -> None:
    """The version tells, not the name."""
    folder.commit(A, 10, [part_name(A, 0)])
    commit = newest_commit(folder.store, folder.prefix)
    folder.commit(A, 10.5, [part_name(A, 0), part_name(A, 1)])
    again = newest_commit(folder.store, folder.prefix, known=commit)
    assert again.added == (part_name(A, 0), part_name(A, 1))


def test_an_old_listing_does_not_bring_an_old_commit_back(folder: CommitFolder) -> None:
    """A listing that lacks the known commit, whose marker is there, was made before it."""
    folder.commit(A, 10, [part_name(A)])
    store = OldListing(folder, folder.prefix)
    nothing = OldListing(folder, "elsewhere")
    folder.commit(B, 20, [part_name(B)])
    known = newest_commit(folder.store, folder.prefix)
    assert newest_commit(store, folder.prefix, known=known) is known
    assert newest_commit(nothing, folder.prefix, known=known) is known
    folder.remove(f"_committed_{B}")
    assert newest_commit(store, folder.prefix, known=known).tid == A


def test_a_marker_that_is_too_large_is_refused_unread(folder: CommitFolder) -> None:
    """16 MiB are a hundred thousand files and more."""
    folder.write(f"_committed_{A}", b" " * (16 * 2**20 + 1), 10)
    store = Counting(folder)
    with pytest.raises(SnapshotRefused) as refused:
        newest_commit(store, folder.prefix)
    assert (refused.value.code, store.calls) == ("commit_too_large", ["list"])
    assert refused.value.message == f"_committed_{A} has 16777217 bytes"


def test_more_markers_than_can_be_looked_at_are_refused(
    folder: CommitFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of them cannot tell which is the newest."""
    monkeypatch.setattr("offloader.sources.databricks.MAX_MARKERS", 3)
    for number in range(3):
        folder.commit(str(number), number, [part_name(str(number))])
    assert newest_commit(folder.store, folder.prefix).tid == "2"
    folder.commit("3", 3, [part_name("3")])
    with pytest.raises(SnapshotRefused) as refused:
        newest_commit(folder.store, folder.prefix)
    assert refused.value.code == "too_many_commits"
