"""Downloads: side by side, verified, and whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event

import pytest

from offloader.errors import SourceUnavailable
from offloader.segment.temporary import TEMPORARY_GLOB, remove_abandoned
from offloader.stores.download import (
    ContentDiffers,
    Download,
    download,
)
from offloader.stores.patient import PatientStore
from offloader.stores.store import (
    READ_BYTES,
    ObjectChanged,
    StoredObject,
    StoreFailed,
    unreachable,
)
from tests.stores.held_store import HeldStore, as_asked

CONTENT = random.Random(5).randbytes(10_000)
RANGES = [(0, 3000), (3000, 3000), (6000, 3000), (9000, 1000)]
DEADLINE_SECONDS = 20.0


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def break_at(start: int, error: Exception) -> Callable[..., Iterator[bytes]]:
    """Answer each range but the one that begins at `start`, which breaks after 100 bytes."""

    def answer(found: StoredObject, begin: int, content: bytes) -> Iterator[bytes]:
        if begin != start:
            yield from as_asked(found, begin, content)
            return
        yield content[:100]
        raise error

    return answer


def fetch(store: HeldStore, target: Path, wanted: tuple[str, str] | None = None) -> None:
    download(store, store.stat("k"), target, at_once=4, range_bytes=3000, wanted=wanted)


def test_a_file_is_put_together_from_its_ranges(tmp_path: Path) -> None:
    """Each byte is asked for once, and told of once; nothing lies beside the file then."""
    store, told = HeldStore({"k": CONTENT}), list[int]()
    target = tmp_path / "file"
    download(store, store.stat("k"), target, at_once=4, range_bytes=3000, on_bytes=told.append)
    assert target.read_bytes() == CONTENT
    assert sorted(store.reads) == RANGES
    assert sum(told) == len(CONTENT)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("size", [0, 1, 2999, 3000, 3001, 6000])
def test_any_size_will_do(tmp_path: Path, size: int) -> None:
    """No byte at all, and sizes around those of the ranges."""
    fetch(HeldStore({"k": CONTENT[:size]}), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[:size]


def test_ranges_come_at_the_same_time(tmp_path: Path) -> None:
    """Four ranges wait for each other before any is answered."""
    together = Barrier(4)

    def answer(found: StoredObject, start: int, content: bytes) -> Iterator[bytes]:
        together.wait(DEADLINE_SECONDS)
        yield from as_asked(found, start, content)

    fetch(HeldStore({"k": CONTENT}, answer), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_broken_body_goes_on_where_it_broke(tmp_path: Path) -> None:
    """A patient store asks for the rest, and the file has every byte."""
    broken: list[int] = []

    def answer(found: StoredObject, start: int, content: bytes) -> Iterator[bytes]:
        if start == 3000:
            broken.append(start)
            yield content[:100]
            raise unreachable("held://store", "reset")
        yield from as_asked(found, start, content)

    store = HeldStore({"k": CONTENT}, answer)
    patient = PatientStore(store, wait=lambda _: None)
    download(patient, store.stat("k"), tmp_path / "file", range_bytes=3000)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert sorted(store.reads) == sorted([*RANGES, (3100, 2900)])


@pytest.mark.parametrize("start", [0, 9000])
@pytest.mark.parametrize(
    "error", [unreachable("held://store", "reset"), ObjectChanged("object_changed", "")]
)
def test_what_a_range_fails_with_the_download_fails_with(
    tmp_path: Path, start: int, error: SourceUnavailable
) -> None:
    """No range is asked for twice, and no file is left, not even half of one."""
    store = HeldStore({"k": CONTENT}, break_at(start, error))
    with pytest.raises(SourceUnavailable) as caught:
        fetch(store, tmp_path / "file")
    assert caught.value is error
    assert len(set(store.reads)) == len(store.reads)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [(lambda content: content[:-1], "object_cut_short"), (lambda c: c + b"x", "object_overlong")],
)
def test_a_body_of_another_length_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], code: str
) -> None:
    """Also by a store that is not patient, which would have found it."""
    store = HeldStore({"k": CONTENT}, lambda found, at, c: as_asked(found, at, change(c)))
    with pytest.raises(StoreFailed) as caught:
        fetch(store, tmp_path / "file")
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_damage_on_the_way_is_mended(tmp_path: Path) -> None:
    """The store's own checksum finds the flipped bit, and the file is fetched once more."""
    damages: list[Callable[[bytes], bytes]] = [flipped, lambda content: content]
    store = HeldStore({"k": CONTENT}, lambda f, at, c: as_asked(f, at, damages.pop(0)(c)))
    download(store, store.stat("k"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert store.reads == [(0, 10_000)] * 2


def test_a_damage_that_stays_is_told(tmp_path: Path) -> None:
    """After the second time it is the store's failure: transient, and no file is left."""
    store = HeldStore({"k": CONTENT}, lambda found, at, c: as_asked(found, at, flipped(c)))
    with pytest.raises(StoreFailed) as caught:
        fetch(store, tmp_path / "file")
    assert caught.value.code == "object_checksum_differs"
    assert len(store.reads) == 8
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_the_checksum_that_is_wanted_is_compared(tmp_path: Path, algorithm: str) -> None:
    """Beside the store's own, of the same algorithm or another; both are told when they differ."""
    store, right = HeldStore({"k": CONTENT}), hashlib.new(algorithm, CONTENT).hexdigest()
    fetch(store, tmp_path / "file", (algorithm, right))
    (tmp_path / "file").unlink()
    with pytest.raises(ContentDiffers) as caught:
        fetch(store, tmp_path / "file", (algorithm, "0" * len(right)))
    assert (caught.value.algorithm, caught.value.found) == (algorithm, right)
    assert list(tmp_path.iterdir()) == []


def test_a_wanted_checksum_finds_damage_where_the_store_tells_none(tmp_path: Path) -> None:
    """What differs once and not the second time was damaged on the way."""
    damages: list[Callable[[bytes], bytes]] = [flipped, lambda content: content]
    store = HeldStore({"k": CONTENT}, lambda f, at, c: as_asked(f, at, damages.pop(0)(c)))
    found = replace(store.stat("k"), checksum=None)
    wanted = ("sha256", hashlib.sha256(CONTENT).hexdigest())
    download(store, found, tmp_path / "file", wanted=wanted)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_overwritten_object_is_not_downloaded(tmp_path: Path) -> None:
    """The version that was looked up is read, or none."""
    store = HeldStore({"k": CONTENT})
    found = store.stat("k")
    store.objects["k"] = flipped(CONTENT)
    with pytest.raises(ObjectChanged):
        download(store, found, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The OSError arrives as it is, and what was written is removed."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OSError, match="No space left"):
        fetch(HeldStore({"k": CONTENT}), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_under_way_is_locked_and_can_be_called_off(tmp_path: Path) -> None:
    """A sweep lets it be; after `stop` the rest is not asked for, and `finish` raises."""
    has_begun, may_go_on = Event(), Event()

    def answer(found: StoredObject, start: int, content: bytes) -> Iterator[bytes]:
        has_begun.set()
        may_go_on.wait(DEADLINE_SECONDS)
        yield from as_asked(found, start, content)

    store = HeldStore({"k": CONTENT}, answer)
    with ThreadPoolExecutor(1) as pool:
        one = Download(store, store.stat("k"), tmp_path / "file", pool, range_bytes=3000)
        assert has_begun.wait(DEADLINE_SECONDS)
        (temporary,) = tmp_path.glob(TEMPORARY_GLOB)
        assert remove_abandoned(temporary) is False
        one.stop()
        may_go_on.set()
        with pytest.raises(SourceUnavailable, match="download_called_off"):
            one.finish()
    assert store.reads == [(0, 3000)]
    assert list(tmp_path.iterdir()) == []


class Zeros(HeldStore):
    """An object of zeros that nobody holds in memory."""

    def read(
        self, _found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        for _ in range(start, start + (length or 0), READ_BYTES):
            yield bytes(READ_BYTES)


def test_memory_does_not_grow_with_the_object(tmp_path: Path) -> None:
    """Two ranges at once take a chunk or two each, and the checksums one, of 64 chunks."""
    found = StoredObject("k", 64 * READ_BYTES, "v", 0.0)
    wanted = ("md5", hashlib.md5(bytes(64 * READ_BYTES)).hexdigest())
    tracemalloc.start()
    try:
        download(Zeros({}), found, tmp_path / "file", at_once=2, wanted=wanted)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 7 * READ_BYTES
