"""Rules of the cache volume: refused with its own code when unusable, never half a file."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable, StartError
from offloader.segment.temporary import open_temporary
from offloader.service.cache import FOLDERS, MIN_FREE_BYTES, Cache, disk_error, write_whole

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A prepared cache."""
    made = Cache(tmp_path / "cache")
    made.prepare()
    return made


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def test_prepare_makes_the_folders_and_leaves_no_probe(cache: Cache) -> None:
    """Doing it again changes nothing."""
    cache.prepare()
    assert set(FOLDERS) == {"segments", "manifests", "quarantine", "instances", "leases"}
    assert names(cache.root) == set(FOLDERS)


def test_paths_are_what_the_layout_says(cache: Cache) -> None:
    """Parts and manifests lie below their dataset."""
    assert cache.part("usage", "p1") == cache.root / "segments" / "usage" / "p1"
    assert cache.manifest("usage", "d1") == cache.root / "manifests" / "usage" / "d1"
    assert cache.counts("usage", "d1") == cache.root / "manifests" / "usage" / "d1.counts"
    assert cache.quarantine_of("usage") == cache.root / "quarantine" / "usage"
    assert cache.leases == cache.root / "leases"
    assert cache.state == cache.root / "state.json"


def test_a_file_in_the_folders_place_is_not_writable(tmp_path: Path) -> None:
    """The error names the folder, the reason and the setting."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StartError) as caught:
        Cache(tmp_path / "file" / "cache").prepare()
    assert caught.value.code == "cache_not_writable"
    assert caught.value.message == f"{tmp_path}/file/cache: Not a directory"
    assert "OFFLOADER_CACHE_DIR" in caught.value.hint


def test_a_read_only_folder_is_not_writable() -> None:
    """A folder in which nobody can make one is refused, for root too."""
    with pytest.raises(StartError) as caught:
        Cache(Path("/proc/self/cache")).prepare()
    assert caught.value.code == "cache_not_writable"


def test_folders_that_exist_prove_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is written for a test, so a volume mounted read-only is found."""

    def refuse(_path: Path, _content: bytes) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StartError, match="Read-only file system") as caught:
        cache.prepare()
    assert caught.value.code == "cache_not_writable"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_volume_that_takes_nothing_more_is_full(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """No space and a spent quota are `cache_full`, and the probe is removed."""

    def refuse(path: Path, _content: bytes) -> int:
        path.touch()
        raise OSError(number, "full")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StartError) as caught:
        cache.prepare()
    assert caught.value.code == "cache_full"
    assert caught.value.message == f"{cache.root}: nothing can be written"
    assert names(cache.root) == set(FOLDERS)


def test_a_volume_with_little_free_space_is_full(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MiB free are enough, one byte less is not."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, MIN_FREE_BYTES))
    cache.prepare()
    assert cache.free_bytes() == 64 << 20
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, MIN_FREE_BYTES - 1))
    with pytest.raises(StartError) as caught:
        cache.prepare()
    assert caught.value.code == "cache_full"
    assert caught.value.message == f"{cache.root}: only 63 MiB are free"
    assert caught.value.hint == "free at least 64 MiB there, or set OFFLOADER_CACHE_DIR"


def test_a_volume_that_cannot_be_asked_has_no_free_bytes(tmp_path: Path) -> None:
    """Asking never raises: metrics ask."""
    assert Cache(tmp_path / "absent").free_bytes() == 0


def test_sweep_removes_what_killed_processes_left(cache: Cache) -> None:
    """Temporary files go; parts, manifests, state and other datasets' files stay."""
    kept = [cache.part("usage", "p1"), cache.manifest("usage", "d1"), cache.state]
    for path in kept:
        write_whole(path, b"whole")
        path.with_name(f".{path.name}.123.tmp").write_bytes(b"half")
    other = cache.part("other", ".p1.123.tmp")
    write_whole(other, b"another project's")
    cache.sweep(["usage", "never_built"])
    left = {path for path in cache.root.rglob("*") if path.is_file()}
    assert left == {*kept, other}


def test_sweep_spares_what_is_being_written(cache: Cache) -> None:
    """Another instance on the same volume may be in the middle of a build."""
    targets = (cache.part("usage", "p1"), cache.manifest("usage", "d1"), cache.state)
    made = [open_temporary(path, 0o600) for path in targets]
    cache.sweep(["usage"])
    assert all(path.exists() for _, path in made)
    for descriptor, _ in made:
        os.close(descriptor)
    cache.sweep(["usage"])
    assert not any(path.exists() for _, path in made)


def test_datasets_are_those_that_have_a_folder(cache: Cache, tmp_path: Path) -> None:
    """Of parts, of manifests or of what was put away; links and other names are none."""
    for kind, name in (("segments", "b"), ("manifests", "a"), ("quarantine", "c"), ("leases", "d")):
        (cache.root / kind / name).mkdir()
    (cache.root / "segments" / "Not-One").mkdir()
    (cache.root / "segments" / "linked").symlink_to(tmp_path)
    (cache.root / "segments" / "file").write_text("x")
    assert cache.datasets() == ["a", "b", "c"]


def test_a_manifest_is_kept_once_and_repaired(cache: Cache) -> None:
    """An equal copy is left alone, one that differs is replaced."""
    path = cache.keep_manifest("usage", "d1", b"{}")
    first = path.stat().st_ino
    os.utime(path, (0, 0))
    assert cache.keep_manifest("usage", "d1", b"{}") == path
    assert path.stat().st_ino == first
    assert path.stat().st_mtime > 0  # young again: no collector removes it right away
    path.write_bytes(b"torn")
    cache.keep_manifest("usage", "d1", b"{}")
    assert path.read_bytes() == b"{}"


def test_a_manifest_that_cannot_be_kept_is_a_transient_failure(cache: Cache) -> None:
    """A full disk and one that refuses have different codes."""
    (cache.root / "manifests" / "usage").write_text("in the way")
    with pytest.raises(SourceUnavailable) as caught:
        cache.keep_manifest("usage", "d1", b"{}")
    assert caught.value.code == "cache_not_writable"
    assert disk_error(OSError(errno.ENOSPC, "full")).code == "disk_full"
    assert disk_error(OSError(errno.EDQUOT, "full")).code == "disk_full"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_in_between_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Nothing is half written, and no temporary file is left."""
    path = tmp_path / "file"
    write_whole(path, b"before")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "failed")

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
    with pytest.raises(OSError, match="failed"):
        write_whole(path, b"after, and longer")
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == {"file"}


def test_a_write_syncs_the_file_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the name stands for whole content."""
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        is_folder = Path(f"/proc/self/fd/{descriptor}").resolve() == tmp_path.resolve()
        steps.append("sync folder" if is_folder else "sync file")
        real_fsync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        steps.append("rename")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_whole(tmp_path / "file", b"content")
    assert steps == ["sync file", "rename", "sync folder"]
