"""Rules of memory files: sealed is final, for main too, and no failure leaks a descriptor."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from offloader.shared import memory
from tests.shared.descriptors import open_descriptors


def test_a_sealed_memory_file_holds_exactly_its_content() -> None:
    """What was put in is what every reader maps."""
    descriptor = memory.memory_of("test", b"content")
    with memory.map_sealed(descriptor) as mapping:
        assert bytes(mapping) == b"content"
    os.close(descriptor)


def test_a_mapping_lives_as_long_as_anything_refers_to_it_and_keeps_no_descriptor() -> None:
    """Views of views read on; with the last of them the pages are unmapped."""
    before = open_descriptors()
    descriptor = memory.memory_of("mapped-once", b"content")
    mapping = memory.map_sealed(descriptor)
    os.close(descriptor)
    assert open_descriptors() <= before
    view = np.frombuffer(mapping, np.uint8, 4, 3)
    piece = mapping[:3]
    with pytest.raises(TypeError, match="cannot modify read-only memory"):
        mapping[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    del mapping
    assert (bytes(piece), bytes(view)) == (b"con", b"tent")
    del piece
    assert "mapped-once" in Path("/proc/self/maps").read_text()
    del view
    assert "mapped-once" not in Path("/proc/self/maps").read_text()


def test_a_mapping_can_be_let_go_of_at_once() -> None:
    """As a context manager it is unmapped at the end, unless a view still refers to it."""
    descriptor = memory.memory_of("mapped-once", b"content")
    with memory.map_sealed(descriptor):
        assert "mapped-once" in Path("/proc/self/maps").read_text()
    assert "mapped-once" not in Path("/proc/self/maps").read_text()
    os.close(descriptor)


def test_what_cannot_be_mapped_is_an_error(tmp_path: Path) -> None:
    """An empty file, one that is not open for reading, a folder: each with the kernel's word."""
    (tmp_path / "empty").touch()
    for path, flags, error in [
        (tmp_path / "empty", os.O_RDONLY, ValueError),
        (tmp_path, os.O_RDONLY, OSError),
    ]:
        descriptor = os.open(path, flags)
        with pytest.raises(error):
            memory.map_sealed(descriptor)
        os.close(descriptor)
    (tmp_path / "full").write_bytes(b"content")
    descriptor = os.open(tmp_path / "full", os.O_WRONLY)
    with pytest.raises(PermissionError, match="Permission denied"):
        memory.map_sealed(descriptor)
    os.close(descriptor)


def test_a_file_of_the_cache_is_mapped_like_memory(tmp_path: Path) -> None:
    """It is read whole even when its name is gone, or stands for another file."""
    path = tmp_path / "part"
    path.write_bytes(b"content")
    descriptor = os.open(path, os.O_RDONLY)
    mapping = memory.map_sealed(descriptor)
    os.close(descriptor)
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "other").replace(path)
    assert bytes(mapping) == b"content"
    path.unlink()
    assert bytes(mapping) == b"content"


def test_who_made_a_sealed_memory_file_cannot_change_it_either() -> None:
    """After sealing, writing, resizing, writable mapping and more seals fail with EPERM."""
    descriptor = memory.memory_of("test", b"content")
    attempts: list[Callable[[], object]] = [
        lambda: os.write(descriptor, b"x"),
        lambda: os.pwrite(descriptor, b"x", 0),
        lambda: os.ftruncate(descriptor, 1),
        lambda: os.ftruncate(descriptor, 100),
        lambda: os.posix_fallocate(descriptor, 0, 100),
        lambda: memory.map_writable(descriptor),
        lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0),
    ]
    for attempt in attempts:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is the assertion
            attempt()
        assert caught.value.errno == errno.EPERM
    assert os.pread(descriptor, 100, 0) == b"content"
    os.close(descriptor)


def test_sealing_fails_while_a_writable_mapping_exists() -> None:
    """A segment is never called sealed while somebody can still write it."""
    descriptor = memory.create_memory("test", 4096)
    with memory.map_writable(descriptor), pytest.raises(OSError, match="busy"):
        memory.seal(descriptor)
    memory.seal(descriptor)
    os.close(descriptor)


def test_a_live_memory_file_is_written_by_its_first_mapping_only() -> None:
    """After `seal_for_others` the maker's mapping writes on and nobody gets another."""
    descriptor = memory.create_memory("test", 4096)
    first = memory.map_writable(descriptor)
    memory.seal_for_others(descriptor)
    reader = memory.map_live(descriptor)
    first[0:5] = b"fresh"
    assert reader[0:5] == b"fresh"
    with pytest.raises(PermissionError):
        memory.map_writable(descriptor)
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    os.close(descriptor)


def test_memory_of_fixed_size_is_writable_and_cannot_be_cut_off() -> None:
    """After `seal_size` the content may change and the length may not."""
    descriptor = memory.create_memory("test", 4096)
    memory.seal_size(descriptor)
    memory.map_writable(descriptor)[0:1] = b"x"
    assert os.pread(descriptor, 1, 0) == b"x"
    for size_bytes in (0, 8192):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size_bytes)
    os.close(descriptor)


def test_a_copy_holds_the_whole_file_even_in_several_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file larger than one copy step arrives byte for byte."""
    monkeypatch.setattr(memory, "_COPY_BYTES", 1000)
    content = bytes(range(256)) * 20
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        descriptor, size_bytes = memory.copy_of_file("test", file.fileno())
    assert size_bytes == 5120
    assert os.pread(descriptor, 10_000, 0) == content
    os.close(descriptor)


def test_a_file_that_becomes_shorter_while_it_is_copied_is_an_error_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short copy is never passed off as the whole file."""
    (tmp_path / "file").write_bytes(b"content")
    monkeypatch.setattr(os, "sendfile", lambda *_: 0)
    before = open_descriptors()
    with (
        (tmp_path / "file").open("rb") as file,
        pytest.raises(OSError, match="the file became shorter while it was copied"),
    ):
        memory.copy_of_file("test", file.fileno())
    assert open_descriptors() <= before


def test_memory_that_cannot_be_had_leaks_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed resize or seal closes what was opened."""
    before = open_descriptors()
    with pytest.raises(OSError, match="Invalid argument"):
        memory.create_memory("test", -1)

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(memory, "seal", refuse)
    with pytest.raises(OSError, match="no memory"):
        memory.memory_of("test", b"content")
    assert open_descriptors() <= before


def test_memory_is_not_given_to_programs_that_are_started(tmp_path: Path) -> None:
    """Descriptors are close-on-exec, and a name of any length is accepted."""
    descriptor = memory.create_memory("n" * 500, mmap.PAGESIZE)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
