"""Rules of main's table of parts: only what was verified is served, and nothing leaks."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash

from offloader.errors import OutOfMemoryBudget
from offloader.segment.layout import Section, read_descriptor, sections
from offloader.service.cache import Cache
from offloader.service.main import part_store
from offloader.service.main.part_store import DamagedPart, PartStore
from tests.service.loaded import flipped, loaded
from tests.shared.descriptors import open_descriptors

LIMIT_BYTES = 1 << 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, list[Path]]:
    """A cache with the columns part and the one path part of 200 rows."""
    made = loaded(tmp_path_factory.mktemp("parts"))
    entry = made.publish("alpha", "s0001", 200)
    paths = made.paths("alpha", entry)
    assert len(paths) == 2
    return made.cache, paths


@pytest.fixture
def store(files: tuple[Cache, list[Path]]) -> Iterator[PartStore]:
    """An empty store over that cache."""
    made = PartStore(files[0], LIMIT_BYTES)
    yield made
    made.keep_only([])


def places(path: Path) -> dict[str, int]:
    """Name one offset in every place of a part that damage can hit."""
    content = path.read_bytes()
    descriptor = read_descriptor(content)
    found = {f"header byte {offset}": offset for offset in range(64)}
    for section in sections(descriptor):
        found |= _section_places(section)
    first = max(section.end for section in sections(descriptor))
    last = len(content) - 1
    return found | {
        "descriptor's first byte": first,
        "descriptor's middle": (first + last) // 2,
        "descriptor's last byte": last,
    }


def _section_places(section: Section) -> dict[str, int]:
    stop = section.offset + section.length
    found = {}
    if section.length:
        found[f"{section.name} first"] = section.offset
        found[f"{section.name} last"] = stop - 1
    if section.end > stop:
        found[f"{section.name} padding"] = section.end - 1
    return found


def test_a_loaded_part_is_the_files_bytes_sealed(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """Every byte arrives, and the memory cannot be written any more."""
    for path in files[1]:
        part = store.load("alpha", path.name)
        assert os.pread(part.descriptor, 1 << 30, 0) == path.read_bytes()
        assert part.size_bytes == path.stat().st_size
        with pytest.raises(PermissionError):
            os.pwrite(part.descriptor, b"x", 0)
    assert store.size_bytes == sum(path.stat().st_size for path in files[1])


def test_a_part_is_loaded_once(files: tuple[Cache, list[Path]], store: PartStore) -> None:
    """A part that two generations use is one piece of memory, and missing only once."""
    path = files[1][0]
    assert store.missing_bytes("alpha", [path.name]) == path.stat().st_size
    part = store.load("alpha", path.name)
    assert store.load("alpha", path.name) is part
    assert store[path.name] is part
    assert store.missing_bytes("alpha", [path.name]) == 0


@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
def test_a_flipped_bit_in_any_section_is_found_at_load(
    files: tuple[Cache, list[Path]], store: PartStore, number: int
) -> None:
    """Header, every buffer, its padding and the descriptor: no flip is served or leaks."""
    path = files[1][number]
    before = open_descriptors()
    for place, offset in places(path).items():
        with flipped(path, offset), pytest.raises(DamagedPart) as caught:
            store.load("alpha", path.name)
        assert (caught.value.dataset, caught.value.part_id) == ("alpha", path.name), place
        assert caught.value.code == "segment_corrupt"
    assert open_descriptors() <= before
    assert store.size_bytes == 0
    store.load("alpha", path.name)


def test_every_kind_of_section_was_among_those_tried(files: tuple[Cache, list[Path]]) -> None:
    """The parts under test have values, bitmaps, dictionaries, texts, rows and a key table."""
    columns, path = (places(path) for path in files[1])
    tried = {name.rsplit(" ", 1)[0] for name in columns if not name.startswith(("header", "desc"))}
    assert tried == {
        *("name.values", "name.valid", "name.dict_offsets", "name.dict_bytes"),
        *("calls.values", "calls.valid", "extra.offsets", "extra.bytes"),
    }
    tried = {name.rsplit(" ", 1)[0] for name in path if not name.startswith(("header", "desc"))}
    assert tried == {"rows", "keys", "starts"}
    assert any(name.endswith("padding") for name in columns)
    assert any(name.endswith("padding") for name in path)


@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, -64, -1])
def test_a_truncated_part_is_damaged(
    files: tuple[Cache, list[Path]], store: PartStore, number: int, length: int
) -> None:
    """A file cut anywhere, down to nothing, is refused and leaks nothing."""
    path = files[1][number]
    sound = path.read_bytes()
    before = open_descriptors()
    path.write_bytes(sound[:length])
    with pytest.raises(DamagedPart):
        store.load("alpha", path.name)
    path.write_bytes(sound)
    assert open_descriptors() <= before


def test_a_part_with_bytes_behind_its_end_is_damaged(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """A byte that no checksum covers is not served."""
    path = files[1][0]
    sound = path.read_bytes()
    path.write_bytes(sound + b"\0")
    with pytest.raises(DamagedPart, match="section 'header' of a segment part is damaged"):
        store.load("alpha", path.name)
    path.write_bytes(sound)


def test_a_part_whose_checksums_fit_another_format_is_damaged(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """A later format version is refused even when every checksum is right."""
    path = files[1][0]
    sound = path.read_bytes()
    head = sound[:8] + (2).to_bytes(4, "little") + sound[12:48]
    path.write_bytes(head + xxhash.xxh3_128_digest(head) + sound[64:])
    with pytest.raises(DamagedPart, match="it is not a part of format version 1"):
        store.load("alpha", path.name)
    path.write_bytes(sound)


def test_a_missing_part_is_damaged(store: PartStore) -> None:
    """A part that is not there is named, whether it is measured or loaded."""
    message = "a segment part in the cache cannot be read: No such file or directory"
    with pytest.raises(DamagedPart, match=message):
        store.load("alpha", "absent")
    with pytest.raises(DamagedPart, match=message) as caught:
        store.missing_bytes("alpha", ["absent"])
    assert (caught.value.dataset, caught.value.part_id) == ("alpha", "absent")


@pytest.mark.parametrize("number", [errno.EIO, None])
def test_a_file_that_cannot_be_read_is_damaged(
    files: tuple[Cache, list[Path]],
    store: PartStore,
    monkeypatch: pytest.MonkeyPatch,
    number: int | None,
) -> None:
    """A disk error, or a file that shrinks meanwhile, is the file's fault."""

    def broken(_name: str, _source: int) -> tuple[int, int]:
        raise OSError(number, "broken") if number else OSError("the file became shorter")

    monkeypatch.setattr(part_store, "copy_of_file", broken)
    with pytest.raises(DamagedPart):
        store.load("alpha", files[1][0].name)


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
        store.load("alpha", files[1][0].name)
    assert caught.value.errno == number


def test_what_does_not_fit_the_limit_is_refused_before_it_is_loaded(
    files: tuple[Cache, list[Path]],
) -> None:
    """The limit is the sum of what is held and what is wanted, to the byte."""
    path = files[1][0]
    store = PartStore(files[0], path.stat().st_size + (2 << 20))
    store.load("alpha", path.name)
    store.check_room(2 << 20)
    with pytest.raises(OutOfMemoryBudget) as caught:
        store.check_room((2 << 20) + 1)
    assert caught.value.code == "memory_limit"
    assert caught.value.message == "2 MiB of snapshots do not fit the limit of 2 MiB"
    assert caught.value.hint.startswith("raise OFFLOADER_MEMORY_LIMIT")
    store.keep_only([])


def test_keep_only_closes_every_other_part(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """Released memory is not counted any more and its descriptor is closed."""
    columns, path = files[1]
    before = open_descriptors()
    kept = store.load("alpha", path.name)
    store.load("alpha", columns.name)
    store.keep_only([path.name, "unknown"])
    assert store.size_bytes == path.stat().st_size
    assert open_descriptors() - before == {str(kept.descriptor)}
    store.keep_only([])
    assert open_descriptors() <= before
