"""Rules of damaged parts: no byte that differs from what was written is served, or leaks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import xxhash

from offloader.segment.layout import FORMAT_VERSION, Section, read_descriptor, sections
from offloader.service.cache import Cache
from offloader.service.main import part_store
from offloader.service.main.part_store import DamagedPart, PartName, PartStore, damaged_parts
from tests.service.loaded import flipped
from tests.service.parts import named
from tests.shared.descriptors import open_descriptors


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


@pytest.mark.parametrize("way", ["load", "map"])
@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
def test_a_flipped_bit_in_any_section_is_found_either_way(
    files: tuple[Cache, list[Path]], store: PartStore, number: int, way: str
) -> None:
    """Header, every buffer, its padding and the descriptor: no flip is served or leaks."""
    path = files[1][number]
    before = open_descriptors()
    for place, offset in places(path).items():
        with flipped(path, offset), pytest.raises(DamagedPart) as caught:
            getattr(store, way)(named(path))
        assert (caught.value.dataset, caught.value.part_id) == ("alpha", path.name), place
        assert caught.value.code == "segment_corrupt"
    assert open_descriptors() <= before
    assert store.size_bytes() == store.size_bytes("page_cache") == 0
    getattr(store, way)(named(path))


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


@pytest.mark.parametrize("way", ["load", "map"])
@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, -64, -1])
def test_a_truncated_part_is_damaged(
    files: tuple[Cache, list[Path]], store: PartStore, number: int, length: int, way: str
) -> None:
    """A file cut anywhere, down to nothing, is neither loaded nor mapped, and leaks nothing."""
    path = files[1][number]
    sound = path.read_bytes()
    before = open_descriptors()
    path.write_bytes(sound[:length])
    with pytest.raises(DamagedPart):
        getattr(store, way)(named(path))
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
        store.load(named(path))
    path.write_bytes(sound)


def test_a_part_whose_checksums_fit_another_format_is_damaged(
    files: tuple[Cache, list[Path]], store: PartStore
) -> None:
    """A later format version is refused even when every checksum is right."""
    path = files[1][0]
    sound = path.read_bytes()
    head = sound[:8] + (FORMAT_VERSION + 1).to_bytes(4, "little") + sound[12:48]
    path.write_bytes(head + xxhash.xxh3_128_digest(head) + sound[64:])
    with pytest.raises(DamagedPart, match=f"it is not a part of format version {FORMAT_VERSION}"):
        store.load(named(path))
    path.write_bytes(sound)


def test_a_missing_part_is_damaged(store: PartStore) -> None:
    """A part that is not there is named, whether it is measured or loaded."""
    absent = PartName("alpha", "absent", "absent")
    message = "a segment part in the cache cannot be read: No such file or directory"
    with pytest.raises(DamagedPart, match=message):
        store.load(absent)
    with pytest.raises(DamagedPart, match=message) as caught:
        store.missing_bytes([absent])
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
        store.load(named(files[1][0]))


def test_damaged_parts_are_all_named_without_taking_memory(
    files: tuple[Cache, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound ones and those that are not there are passed over."""
    columns, path = files[1]
    ids = [columns.name, path.name, "absent"]
    monkeypatch.setattr(part_store, "copy_of_file", None)
    assert damaged_parts(files[0], "alpha", ids) == []
    before = open_descriptors()
    with flipped(columns, 100), flipped(path, 100):
        found = damaged_parts(files[0], "alpha", ids)
    assert [(one.dataset, one.part_id) for one in found] == [
        ("alpha", columns.name),
        ("alpha", path.name),
    ]
    assert open_descriptors() <= before
