"""An object as a file: what is held is not asked for again, and every byte is the object's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offloader.sources import ranged_file
from offloader.sources.footers import BadFooterError, Footers, read_footer
from offloader.sources.ranged_file import RangedFile, merged
from offloader.stores.store import ObjectChanged
from tests.sources.counted_store import CountedStore

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path: Path) -> CountedStore:
    """Return a store with the object `one`."""
    (tmp_path / "one").write_bytes(CONTENT)
    return CountedStore(str(tmp_path))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Run a pool of two threads."""
    with ThreadPoolExecutor(2) as made:
        yield made


def opened(store: CountedStore, noted: list[int] | None = None) -> RangedFile:
    """Open the object."""
    return RangedFile(store, store.stat("one"), ([] if noted is None else noted).append)


def test_close_ranges_are_one() -> None:
    """A gap of 64 KiB is read over, a longer one is not; empty ranges are none."""
    assert merged([(100, 200), (0, 50), (300, 300), (150, 180)], 50) == [(0, 200)]
    assert merged([(0, 50), (101, 200)], 50) == [(0, 50), (101, 200)]
    assert merged([(0, 1), (65537, 65538)]) == [(0, 65538)]
    assert merged([]) == []


def test_it_reads_and_seeks_as_a_file(store: CountedStore) -> None:
    """Every read is a range of its own, and ends with the object."""
    file, plain = opened(store), io.BytesIO(CONTENT)
    for offset, whence, size in [(0, 0, 5), (10, 1, 3), (-7, 2, 100), (0, 0, -1), (9, 0, 0)]:
        assert file.seek(offset, whence) == plain.seek(offset, whence) == file.tell()
        assert file.read(size) == plain.read(size)
        assert file.tell() == plain.tell()
    assert file.seek(20_000) == 20_000
    assert file.read(5) == b""
    assert [(start, size) for _, start, size in store.ranges] == [
        (0, 5), (15, 3), (10_233, 7), (0, 10_240),
    ]  # fmt: skip


def test_what_was_fetched_is_not_asked_for_again(
    store: CountedStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long ranges come in pieces; a read that leaves them goes to the store."""
    monkeypatch.setattr(ranged_file, "PIECE_BYTES", 100)
    noted: list[int] = []
    file = opened(store, noted)
    file.fetch([(1000, 1250), (50, 60)], pool)()
    pieces = [(start, size) for _, start, size in sorted(store.ranges)]
    assert pieces == [(50, 10), (1000, 100), (1100, 100), (1200, 50)]
    assert sum(noted) == 260
    for start, size in [(1000, 250), (1099, 2), (1249, 1), (50, 10)]:
        file.seek(start)
        assert file.read(size) == CONTENT[start : start + size]
    assert len(store.ranges) == 4
    for start, size in [(999, 2), (1249, 2), (0, 1)]:
        file.seek(start)
        assert file.read(size) == CONTENT[start : start + size]
    file.let_go([50])
    file.seek(50)
    assert file.read(1) == CONTENT[50:51]
    assert len(store.ranges) == 8


def test_what_is_forgotten_is_asked_for_again(store: CountedStore) -> None:
    """A read that goes beyond what is held asks for the rest of it only."""
    file = opened(store)
    file.hold(100, CONTENT[100:200])
    file.seek(150)
    assert file.read(100) == CONTENT[150:250]
    file.forget()
    file.seek(150)
    assert file.read(10) == CONTENT[150:160]
    assert [one[1:] for one in store.ranges] == [(200, 50), (150, 10)]


def test_who_notes_bytes_may_end_the_reading(store: CountedStore, pool: ThreadPoolExecutor) -> None:
    """Its error reaches who fetches, from whatever thread."""

    def refuse(_: int) -> None:
        raise RuntimeError("enough")

    file = RangedFile(store, store.stat("one"), refuse)
    finish = file.fetch([(0, 10)], pool)
    with pytest.raises(RuntimeError, match="enough"):
        finish()


def test_another_version_is_an_error(store: CountedStore, tmp_path: Path) -> None:
    """What was opened is never mixed with what was written since."""
    file = opened(store)
    (tmp_path / "two").write_bytes(CONTENT)
    (tmp_path / "two").replace(tmp_path / "one")
    with pytest.raises(ObjectChanged):
        file.read(5)


def footer(length: int) -> bytes:
    """Return the end of a Parquet file whose footer has so many bytes."""
    return b"f" * length + length.to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("length", [10, 64 * 1024 - 8, 64 * 1024 - 7, 100_000])
def test_a_footer_is_read_whole_and_once(store: CountedStore, tmp_path: Path, length: int) -> None:
    """In one request up to 64 KiB, else in two; the next file of that version needs none."""
    content = CONTENT * 10 + footer(length)
    (tmp_path / "one").write_bytes(content)
    footers = Footers(1 << 20)
    for requests in ((1, 2)[length > 64 * 1024 - 8],) * 2:
        file = opened(store)
        footers.give("one", file, len(content))
        file.seek(len(content) - length - 8)
        assert file.read() == footer(length)
        assert len(store.ranges) == requests
    assert len(footers) == 1
    assert footers.size_bytes == max(length + 8, 64 * 1024)


def test_footers_that_are_not_used_make_room(store: CountedStore, tmp_path: Path) -> None:
    """The least recently used go; one that would take a quarter is not kept at all."""
    content = CONTENT[:900] + footer(92)
    (tmp_path / "one").write_bytes(content)
    footers = Footers(4000)
    for name in ("a", "b", "c", "d", "a", "e", "a", "b"):
        footers.give(name, opened(store), len(content))
    assert len(store.ranges) == 6
    assert (len(footers), footers.size_bytes) == (4, 4000)
    tight = Footers(3999)
    tight.give("a", opened(store), len(content))
    assert (len(tight), tight.size_bytes) == (0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", CONTENT, footer(5)[1:], b"x" * 9 + b"\xff\xff\xff\xffPAR1"]
)
def test_what_is_no_parquet_file_has_no_footer(
    store: CountedStore, tmp_path: Path, content: bytes
) -> None:
    """A length that cannot be is not believed."""
    (tmp_path / "one").write_bytes(content)
    with pytest.raises(BadFooterError):
        read_footer(opened(store), len(content))
