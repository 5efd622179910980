"""Rules of main's table of parts: only what was verified is served, and nothing leaks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from offloader.service.cache import Cache
from offloader.service.main import part_store
from offloader.service.main.part_store import (
    SPARE_BYTES,
    PartName,
    PartStore,
)
from tests.service.parts import named
from tests.shared.descriptors import open_descriptors


def test_a_loaded_part_is_the_files_bytes_sealed(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """Every byte arrives, and the memory cannot be written any more."""
    for path in files[1]:
        part = store.load(named(path))
        assert os.pread(part.descriptor, 1 << 30, 0) == path.read_bytes()
        assert part.size_bytes == path.stat().st_size
        with pytest.raises(PermissionError):
            os.pwrite(part.descriptor, b"x", 0)
    assert store.size_bytes() == sum(path.stat().st_size for path in files[1])


def test_a_part_is_loaded_once(files: tuple[Cache, list[Path]], store: PartStore) -> None:
    """A part that two generations use is one piece of memory, and missing only once."""
    path = files[1][0]
    assert store.missing_bytes([named(path)]) == path.stat().st_size
    part = store.load(named(path))
    assert store.load(named(path)) is part
    assert store[path.name] is part
    assert store.missing_bytes([named(path)]) == 0


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE])
def test_want_of_memory_or_descriptors_does_not_make_a_part_damaged(
    files: tuple[Cache, list[Path]],
    store: PartStore,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """A sound part is not thrown away because the machine was short of something."""

    def spent(_name: str, _source: int) -> tuple[int, int]:
        raise OSError(number, "spent")

    monkeypatch.setattr(part_store, "copy_of_file", spent)
    with pytest.raises(OSError, match="spent") as caught:
        store.load(named(files[1][0]))
    assert caught.value.errno == number


def test_the_room_is_what_limit_and_container_both_have(files: tuple[Cache, list[Path]]) -> None:
    """The limit less what is held; what the container has left less a spare; never below zero."""
    path = files[1][0]
    size_bytes, left_bytes = path.stat().st_size, [1 << 40]
    store = PartStore(files[0], size_bytes + 100, lambda: left_bytes[0])
    assert store.room_bytes() == size_bytes + 100
    store.load(named(path))
    assert store.room_bytes() == 100
    left_bytes[0] = SPARE_BYTES + 99
    assert store.room_bytes() == 99
    left_bytes[0] = SPARE_BYTES - 1
    assert store.room_bytes() == 0
    store.keep_only([])
    assert PartStore(files[0], 7).room_bytes() == 7


def test_a_mapped_part_takes_no_room_and_no_other_key(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """The same part can lie in memory and be mapped, each counted by itself."""
    path = files[1][0]
    mapped, part = store.map(named(path)), store.load(named(path))
    assert (mapped.key, part.key) == (f"{path.name}@file", path.name)
    assert store.map(named(path)) is mapped
    assert store.size_bytes("shared") == store.size_bytes("page_cache") == path.stat().st_size
    assert store.size_bytes("shared", [mapped.key]) == store.size_bytes("shared", []) == 0
    assert store.size_bytes("page_cache", [mapped.key, part.key]) == path.stat().st_size
    store.drop([part.key, "unknown"])
    assert part.key not in store
    assert mapped.key in store
    assert store.size_bytes() == 0


def test_a_copy_of_a_part_is_loaded_beside_it(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """A rebuilt part has a key of its own and the file of the first."""
    path = files[1][0]
    first = store.load(named(path))
    copy = store.load(PartName("alpha", path.name, f"{path.name}.1"))
    assert copy.descriptor != first.descriptor
    assert store.size_bytes() == 2 * path.stat().st_size


def test_content_is_kept_once_and_is_not_counted_as_segments(store: PartStore) -> None:
    """What workers share beside the parts is sealed like them."""
    part = store.keep_content("catalog-1", b"content")
    assert store.keep_content("catalog-1", b"content") is part
    assert os.pread(part.descriptor, 100, 0) == b"content"
    with pytest.raises(PermissionError):
        os.pwrite(part.descriptor, b"x", 0)
    assert store.size_bytes("shared") == store.size_bytes("page_cache") == 0


def test_keep_only_closes_every_other_part(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """Released memory is not counted any more and its descriptor is closed."""
    columns, path = files[1]
    before = open_descriptors()
    kept = store.load(named(path))
    store.load(named(columns))
    store.keep_only([path.name, "unknown"])
    assert store.size_bytes() == path.stat().st_size
    assert open_descriptors() <= before | {str(kept.descriptor)}
    assert os.pread(kept.descriptor, 1 << 30, 0) == path.read_bytes()
    store.keep_only([])
    assert open_descriptors() <= before
