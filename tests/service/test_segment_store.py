"""The segment store, in a folder and in a bucket: what a replica builds, others fetch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import pytest

from dev.emulators.gcs import GcsEmulator, gcs_emulator
from offloader.service.counts import load_counts
from tests.service.segment_sharing import (
    COUNTS,
    BucketShelf,
    FolderShelf,
    Replica,
    Shelf,
    flip,
    refs_of,
)

_NUMBERS = count()


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsEmulator]:
    with gcs_emulator() as emulator:
        yield emulator


@pytest.fixture(params=["folder", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "folder":
        (tmp_path / "shelf").mkdir()
        return FolderShelf(tmp_path / "shelf")
    emulator: GcsEmulator = request.getfixturevalue("gcs")
    bucket = f"shared-{next(_NUMBERS)}"
    emulator.make_bucket(bucket)
    return BucketShelf(emulator, bucket)


@pytest.fixture
def first(tmp_path: Path, shelf: Shelf) -> Replica:
    return Replica(tmp_path / "first", shelf)


@pytest.fixture
def other(tmp_path: Path, shelf: Shelf) -> Replica:
    return Replica(tmp_path / "other", shelf)


def test_what_one_replica_built_another_fetches(
    shelf: Shelf, first: Replica, other: Replica
) -> None:
    """Its parts byte by byte, and what its guards are checked against."""
    entry = first.build()
    assert first.fetch(entry) == set()
    first.share(entry)
    other.build()
    other.lose()
    assert other.fetch(entry) == set(refs_of(entry))
    assert other.parts() == first.parts()
    digest = entry["snapshot"]["manifest_digest"]
    assert load_counts(other.cache, "alpha", digest) == COUNTS
    parts = len(entry["parts"])
    assert (first.counted(), other.counted()) == ({"uploaded": parts}, {"fetched": parts})
    endings = [name.rpartition(".")[2] for name in shelf.names()]
    assert sorted(endings) == ["json"] * parts + ["part"] * parts


def test_objects_are_named_by_what_they_hold(shelf: Shelf, first: Replica) -> None:
    """Format version, dataset, part id; a part also by the digest of its bytes."""
    entry = first.build()
    first.share(entry)
    for ref in refs_of(entry):
        shared, found = first.store.look_up(ref, 0)
        assert f"v2/alpha/{ref.part_id}.json" in shelf.names()
        assert found.key.endswith(f"v2/alpha/{ref.part_id}.{shared.digest}.part")
        assert shelf.get(f"v2/alpha/{ref.part_id}.{shared.digest}.part") == (
            first.cache.part("alpha", ref.part_id).read_bytes()
        )


def test_two_replicas_upload_at_once(shelf: Shelf, first: Replica, other: Replica) -> None:
    """Each is content with what the other made: the same bytes under the same names."""
    entry = first.build()
    other.build()
    together = Barrier(2)

    def meet(method: str, _: str) -> None:
        if method == "write":
            together.wait(60)

    def share(replica: Replica) -> None:
        replica.between.on_call = meet
        replica.share(entry)

    threads = [Thread(target=share, args=(one,)) for one in (first, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(shelf.names()) == 2 * len(entry["parts"])
    for replica in (first, other):
        assert set(replica.counted()) <= {"uploaded", "present"}
    first.lose()
    first.between.on_call = lambda *_: None
    assert first.fetch(entry) == set(refs_of(entry))


def test_a_part_without_a_descriptor_is_not_there(
    shelf: Shelf, first: Replica, other: Replica
) -> None:
    """Half an upload: nobody reads it, and the next replica writes only the descriptor."""
    entry = first.build()
    first.share(entry)
    before = first.parts()
    for name in shelf.names():
        if name.endswith(".json"):
            shelf.delete(name)
    parts = shelf.names()
    first.lose()
    assert first.fetch(entry) == set()
    assert first.counted()["missing"] == len(entry["parts"])
    other.build()
    other.share(entry)
    assert other.counted() == {"uploaded": len(entry["parts"])}
    assert {name for name in shelf.names() if name.endswith(".part")} == set(parts)
    assert first.fetch(entry) == set(refs_of(entry))
    assert first.parts() == before


def test_a_descriptor_without_its_part_is_not_there(
    shelf: Shelf, first: Replica, other: Replica
) -> None:
    """Somebody removed the part: it is missing, and the next replica uploads it again."""
    entry = first.build()
    first.share(entry)
    names = shelf.names()
    for name in names:
        if name.endswith(".part"):
            shelf.delete(name)
    first.lose()
    assert first.fetch(entry) == set()
    assert first.counted()["missing"] == len(entry["parts"])
    other.build()
    other.share(entry)
    assert shelf.names() == names
    assert first.fetch(entry) == set(refs_of(entry))


@pytest.mark.parametrize("offset", [0, 70, -1])
def test_a_corrupt_part_is_never_used_and_heals(
    shelf: Shelf, first: Replica, other: Replica, offset: int
) -> None:
    """It is told once and built instead; the copy that is uploaded then is what others fetch."""
    entry = first.build()
    first.share(entry)
    spoilt = next(name for name in shelf.names() if name.endswith(".part"))
    content = shelf.get(spoilt)
    shelf.put(spoilt, flip(content, offset))
    (ref,) = (one for one in refs_of(entry) if one.part_id in spoilt)
    other.build()
    sound = other.parts()
    other.lose()
    assert other.fetch(entry) == set(refs_of(entry)) - {ref}
    assert other.parts() == {name: raw for name, raw in sound.items() if name != ref.part_id}
    assert other.counted() == {"corrupt": 1, "fetched": len(entry["parts"]) - 1}
    other.build()
    other.share(entry)
    assert other.counted()["uploaded"] == 1
    assert shelf.get(spoilt) == flip(content, offset)
    first.lose()
    assert first.fetch(entry) == set(refs_of(entry))
    assert first.parts() == sound
    assert first.counted()["corrupt"] == 1


def test_a_part_cut_short_is_not_even_read(shelf: Shelf, first: Replica) -> None:
    """Its size is not the one its descriptor says."""
    entry = first.build()
    first.share(entry)
    for name in shelf.names():
        if name.endswith(".part"):
            shelf.put(name, shelf.get(name)[:-1])
    first.lose()
    first.between.calls.clear()
    assert first.fetch(entry) == set()
    assert first.counted()["corrupt"] == len(entry["parts"])
    assert not [key for method, key in first.between.calls if method == "read" and ".part" in key]


def test_what_came_or_is_there_is_not_uploaded_again(
    shelf: Shelf, first: Replica, other: Replica
) -> None:
    """A replica that starts with a full cache only looks; one that fetched does not even that."""
    entry = first.build()
    first.share(entry)
    names = shelf.names()
    other.build()
    other.share(entry)
    assert other.counted() == {"present": len(entry["parts"])}
    assert other.between.count("write") == 0
    assert not [key for method, key in other.between.calls if method == "read" and ".part" in key]
    other.lose()
    assert other.fetch(entry) == set(refs_of(entry))
    other.between.calls.clear()
    other.share(entry)
    assert (other.between.calls, shelf.names()) == ([], names)
