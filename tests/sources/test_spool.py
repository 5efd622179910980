"""Files on their way: ahead of the one that is read, within bounds, and gone after it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.sources.spool import MOST_FILES
from offloader.stores.location import Location
from offloader.stores.store import StoredObject, unreachable
from tests.sources.local_snapshots import refused
from tests.sources.remote_snapshots import HeldStores, held_files, open_at
from tests.stores.held_store import HeldStore, as_asked

COLUMNS = [("name", "VARCHAR")]
AT = Location("gs", "bucket", "p/manifest.json")
DEADLINE_SECONDS = 20.0


def csv_of(size_bytes: int) -> bytes:
    """Return a CSV file of one row that has so many bytes."""
    return b"name\n" + b"x" * (size_bytes - 6) + b"\n"


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder, whole or under way."""
    found = 0
    for path in folder.iterdir():
        try:
            found += path.stat().st_size
        except FileNotFoundError:  # renamed or removed just now
            continue
    return found


def holds(folder: Path, size_bytes: int) -> bool:
    return size_of(folder) == size_bytes


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("sizes", "most_ahead", "peak"),
    [
        ([1000] * 10, 2500, 3000),
        ([1000] * 10, 999, 2000),
        ([100, 5000, 100, 5000, 100, 100], 1000, 5200),
        ([1000, 1000], 10_000, 2000),
    ],
)
def test_the_disk_holds_one_file_and_what_may_be_ahead(
    tmp_path: Path, sizes: list[int], most_ahead: int, peak: int
) -> None:
    """At most `spool_bytes`, or one larger file, beside the file that is read; all that fits."""
    files = {f"{index}.csv": csv_of(size) for index, size in enumerate(sizes)}
    store, document = held_files(files, COLUMNS)
    seen: list[int] = []

    def answer(found: StoredObject, start: int, content: bytes) -> Iterator[bytes]:
        seen.append(size_of(tmp_path))
        yield from as_asked(found, start, content)

    store.answer = answer
    snapshot = open_at(AT, document, HeldStores(store), tmp_path, spool_bytes=most_ahead)
    for number, _ in enumerate(snapshot.tables()):
        expected = sizes[number] + sum(fitting(sizes[number + 1 :], most_ahead))
        wait_until(partial(holds, tmp_path, expected))
        seen.append(size_of(tmp_path))
    assert max(seen) == peak
    assert len(store.reads) == len(sizes)
    assert list(tmp_path.iterdir()) == []


def fitting(sizes: list[int], most: int) -> list[int]:
    """Return the sizes that may be ahead together: the first always, then what fits."""
    taken = sizes[:1]
    for size in sizes[1:]:
        if sum(taken) + size > most:
            break
        taken.append(size)
    return taken


def test_many_small_files_are_not_all_begun(tmp_path: Path) -> None:
    """At most 64 files are ahead, however small."""
    files = {f"{index:03d}.csv": csv_of(7) for index in range(100)}
    store, document = held_files(files, COLUMNS)
    tables = open_at(AT, document, HeldStores(store), tmp_path).tables()
    next(tables)
    wait_until(lambda: len(store.reads) == 1 + MOST_FILES)
    # Not at once: a folder that is listed while files are renamed shows one twice, or not.
    wait_until(lambda: len(list(tmp_path.iterdir())) == 1 + MOST_FILES)
    assert len(store.reads) == 1 + MOST_FILES
    assert len(list(tables)) == 99
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_that_is_not_read_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    """Neither the file being read nor those ahead of it."""
    store, document = held_files({f"{n}.csv": csv_of(100) for n in range(9)}, COLUMNS)
    tables = open_at(AT, document, HeldStores(store), tmp_path).tables()
    next(tables)
    tables.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_fails_fails_when_it_is_its_turn(tmp_path: Path) -> None:
    """Those before it are read; those after it are not, and nothing is left of them."""
    store, document = held_files({f"{n}.csv": csv_of(100 + n) for n in range(4)}, COLUMNS)

    def answer(found: StoredObject, start: int, content: bytes) -> Iterator[bytes]:
        if found.key == "p/2.csv":
            raise unreachable("gs://bucket", "reset")
        yield from as_asked(found, start, content)

    store.answer = answer
    tables = open_at(AT, document, HeldStores(store), tmp_path).tables()
    assert [len(next(tables)["name"][0].as_py()) for _ in range(2)] == [94, 95]
    with pytest.raises(SourceUnavailable) as caught:
        next(tables)
    assert caught.value.code == "store_unreachable"
    assert list(tmp_path.iterdir()) == []


def test_a_refused_file_is_named_as_it_is_listed(tmp_path: Path) -> None:
    """Not by its place on the disk."""
    store, document = held_files({"a.csv": csv_of(10), "b.csv": b"other\nxyz\n"}, COLUMNS)
    with pytest.raises(SnapshotRefused) as caught:
        list(open_at(AT, document, HeldStores(store), tmp_path).tables())
    assert {problem.file for problem in caught.value.problems} == {"b.csv"}
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_query_of_a_url_is_told(tmp_path: Path) -> None:
    """It may be a signature: neither problems nor errors have it."""
    url = "https://files.example/p/a.csv?signature=hidden"
    store = HeldStore({"p/a.csv?signature=hidden": csv_of(10)})
    _, document = held_files({url: csv_of(10)}, COLUMNS)
    stores = HeldStores(store)
    assert len(list(open_at(AT, document, stores, tmp_path).tables())) == 1
    document["files"][0]["row_count"] = document["row_count"] = 2
    with refused("file_row_count_differs") as problems:
        list(open_at(AT, document, stores, tmp_path).tables())
    assert problems[0].file == "https://files.example/p/a.csv"
    document["files"][0]["size_bytes"] = document["size_bytes"] = 9
    with refused("file_size_differs") as problems:
        open_at(AT, document, stores, tmp_path)
    assert problems[0].file == "https://files.example/p/a.csv"


def test_a_full_disk_is_not_the_snapshots_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The OSError comes through as it is."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store, document = held_files({"a.csv": csv_of(10)}, COLUMNS)
    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OSError, match="No space left") as caught:
        list(open_at(AT, document, HeldStores(store), tmp_path).tables())
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
