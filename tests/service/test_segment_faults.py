"""A segment store that fails: builds and swaps go on, and each thing is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import xxhash

from offloader.errors import OffloaderError
from offloader.service.cache import Cache
from offloader.service.reloader.segment_status import REST_SECONDS
from offloader.service.segment_descriptor import SharedPart
from offloader.service.segment_store import MOST_COPIES
from offloader.stores.store import changed, denied, unreachable
from tests.service.segment_sharing import FolderShelf, Replica, flip, refs_of


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    (tmp_path / "shelf").mkdir()
    return FolderShelf(tmp_path / "shelf")


@pytest.fixture
def replica(tmp_path: Path, shelf: FolderShelf) -> Replica:
    return Replica(tmp_path / "one", shelf)


@pytest.fixture
def shared(replica: Replica) -> Any:
    """An entry that was shared, and of which the cache has lost everything."""
    entry = replica.build()
    replica.share(entry)
    replica.lose()
    replica.between.calls.clear()
    return entry


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "offloader")
    return lambda: [record.message for record in caplog.records]


def raising(method: str, error: OffloaderError) -> Callable[[str, str], None]:
    def on_call(called: str, _: str) -> None:
        if called == method:
            raise error

    return on_call


def test_a_store_that_is_down_is_asked_once_in_a_while(
    replica: Replica, shared: Any, events: Callable[[], list[str]]
) -> None:
    """What was not fetched is built; the next datasets do not wait for it either."""
    replica.between.on_call = raising("stat", unreachable("gs://b", "timed out"))
    assert replica.fetch(shared) == set()
    parts = len(shared["parts"])
    assert replica.counted()["failed"] == parts
    asked = len(replica.between.calls)
    assert replica.fetch(shared) == set()
    assert len(replica.between.calls) == asked
    assert replica.counted()["failed"] == 2 * parts
    assert events().count("segment_store_failed") == 1
    told: Any = replica.status.document(())
    assert (told["ok"], told["last_error"]["code"]) == (False, "store_unreachable")
    replica.between.on_call = lambda *_: None
    replica.now += REST_SECONDS
    assert replica.fetch(shared) == set(refs_of(shared))
    assert replica.status.document(())["ok"]
    assert events().count("segment_store_back") == 1


def test_a_store_that_hangs_holds_up_a_build_for_a_moment(
    tmp_path: Path, shelf: FolderShelf, replica: Replica, shared: Any
) -> None:
    """Nothing came for so long: the build begins, and what hangs is left to itself."""
    other, go_on = Replica(tmp_path / "other", shelf, still_seconds=0.05), Event()
    other.build()
    other.lose()

    def hang(*_: str) -> None:
        go_on.wait(20)

    other.between.on_call = hang
    try:
        assert other.fetch(shared) == set()
        told: Any = other.status.document(())
        assert told["last_error"]["code"] == "segment_store_slow"
        assert other.counted() == {"failed": len(shared["parts"])}
        assert other.parts() == {}
    finally:
        go_on.set()
    other.fetching.close()
    assert other.counted()["failed"] == len(shared["parts"])


def test_a_store_that_cannot_be_written_is_read(
    replica: Replica, shared: Any, events: Callable[[], list[str]]
) -> None:
    """It says so once, is asked once after each swap, and gives what others put there."""
    replica.between.on_call = raising("write", denied("gs://b", "create objects"))
    newer = replica.build("s2")
    for _ in range(2):
        replica.share(newer)
        assert replica.uploading.waiting == ()
    assert replica.between.count("write") == 2
    assert replica.counted()["upload_failed"] == 2
    assert replica.pauses == []
    assert events().count("segment_store_not_writable") == 1
    told: Any = replica.status.document(())
    assert (told["ok"], told["writable"]) == (True, False)
    replica.build()
    replica.lose()
    assert replica.fetch(shared) == set(refs_of(shared))
    replica.between.on_call = lambda *_: None
    replica.build("s2")
    replica.share(newer)
    assert replica.status.document(())["writable"]


def test_uploads_to_a_store_that_is_down_are_tried_again_and_then_dropped(
    replica: Replica, events: Callable[[], list[str]]
) -> None:
    """Later each time, a few times; after the next swap it is tried anew."""
    entry = replica.build()
    replica.between.on_call = raising("write", unreachable("gs://b", "reset"))
    replica.share(entry)
    assert replica.pauses == [2.0, 4.0, 8.0, 16.0]
    assert replica.counted() == {"upload_failed": 5}
    assert events().count("segment_not_shared") == 1
    replica.between.on_call = lambda *_: None
    replica.share(entry)
    assert replica.counted()["uploaded"] == len(entry["parts"])


def test_a_failure_in_the_middle_is_made_up_for(replica: Replica, shelf: FolderShelf) -> None:
    """The part was written and its descriptor was not: the next try writes only that."""
    entry = replica.build()
    ref = refs_of(entry)[0]

    def on_call(method: str, key: str) -> None:
        if method == "write" and key.endswith(".json"):
            raise unreachable("gs://b", "reset")

    replica.between.on_call = on_call
    replica.uploading.offer({"alpha": entry})
    replica.uploading.share(ref)
    assert [name.rpartition(".")[2] for name in shelf.names()] == ["part"]
    replica.between.on_call = lambda *_: None
    replica.uploading.share(ref)
    assert replica.store.is_there(ref)
    assert replica.counted() == {"upload_failed": 1, "uploaded": 1}


def test_an_object_that_changes_while_it_is_read_is_refused(
    replica: Replica, shared: Any, shelf: FolderShelf
) -> None:
    """Nobody should write there: what came is not used."""

    def on_call(method: str, key: str) -> None:
        if method == "read" and key.endswith(".part"):
            raise changed("gs://b", key)

    replica.between.on_call = on_call
    assert replica.fetch(shared) == set()
    assert replica.counted()["corrupt"] == len(shared["parts"])
    assert replica.parts() == {}


def test_what_was_damaged_on_the_way_is_read_again(replica: Replica, shared: Any) -> None:
    """The object is sound: no copy is given up for it."""
    damaged: list[str] = []

    def on_chunk(key: str, chunk: bytes) -> bytes:
        if key.endswith(".part") and key not in damaged:
            damaged.append(key)
            return flip(chunk, 100)
        return chunk

    replica.between.on_chunk = on_chunk
    assert replica.fetch(shared) == set(refs_of(shared))
    assert len(damaged) == len(shared["parts"])
    assert replica.counted()["fetched"] == len(shared["parts"])
    assert "corrupt" not in replica.counted()


def test_a_whole_part_of_another_kind_is_refused(
    replica: Replica, shared: Any, shelf: FolderShelf
) -> None:
    """Descriptor and bytes agree, but it is not the part it is named as."""
    columns, path = refs_of(shared)[:2]
    (name,) = (one for one in shelf.names() if columns.part_id in one and one.endswith(".part"))
    put(shelf, SharedPart(path, len(shelf.get(name)), name.split(".")[1]), shelf.get(name))
    assert path not in replica.fetch(shared)
    assert replica.counted()["corrupt"] == 1


def test_a_part_that_was_damaged_before_its_upload_is_refused(
    replica: Replica, shared: Any, shelf: FolderShelf
) -> None:
    """The digest of the file is right, a checksum within it is not."""
    ref = refs_of(shared)[0]
    (name,) = (one for one in shelf.names() if ref.part_id in one and one.endswith(".part"))
    content = flip(shelf.get(name), 70)
    put(shelf, SharedPart(ref, len(content), xxhash.xxh3_128_hexdigest(content)), content)
    assert ref not in replica.fetch(shared)
    assert replica.counted()["corrupt"] == 1


def test_a_damaged_part_is_not_uploaded(
    replica: Replica, shelf: FolderShelf, events: Callable[[], list[str]]
) -> None:
    """What lies in the cache is compared with its checksums first."""
    entry = replica.build()
    path = replica.cache.part("alpha", entry["parts"][0])
    path.write_bytes(flip(path.read_bytes(), 70))
    replica.share(entry)
    assert not [name for name in shelf.names() if entry["parts"][0] in name]
    assert replica.counted() == {"upload_failed": 1, "uploaded": len(entry["parts"]) - 1}
    assert events().count("segment_not_shared") == 1


def test_copies_come_to_an_end(replica: Replica, shared: Any, shelf: FolderShelf) -> None:
    """Where every copy is spoilt none is added, and somebody is told to clear it up."""
    ref = refs_of(shared)[0]
    for copy in range(MOST_COPIES):
        replica.store.spoil(ref, copy)
    names = shelf.names()
    assert ref not in replica.fetch(shared)
    replica.build()
    replica.share(shared)
    assert shelf.names() == names
    told: Any = replica.status.document(())
    assert "remove the objects" in told["last_error"]["message"]


def test_what_does_not_fit_the_volume_is_not_begun(
    replica: Replica, shared: Any, monkeypatch: pytest.MonkeyPatch, events: Callable[[], list[str]]
) -> None:
    """The store is not to blame, and stays in use."""
    monkeypatch.setattr(Cache, "free_bytes", lambda _: 64 << 20)
    assert replica.fetch(shared) == set()
    assert replica.counted()["failed"] == len(shared["parts"])
    assert events().count("segment_not_fetched") == 1
    told: Any = replica.status.document(())
    assert (told["ok"], told["last_error"]["code"]) == (True, "disk_full")
    assert not replica.status.is_resting


def put(shelf: FolderShelf, shared: SharedPart, content: bytes) -> None:
    """Lay a part and its descriptor on the shelf, instead of what is there."""
    ref = shared.ref
    for name in shelf.names():
        if ref.part_id in name:
            shelf.delete(name)
    shelf.put(f"v2/alpha/{ref.part_id}.{shared.digest}.part", content)
    shelf.put(f"v2/alpha/{ref.part_id}.json", shared.encode())
