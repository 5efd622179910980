"""The cache volume: what can go wrong with it, and that nothing is left on it."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from offloader.service.cache import Cache
from offloader.service.doctor import volume
from offloader.service.doctor.volume import check_volume
from offloader.service.state import Saved, save_state

_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache")
    made.prepare()
    return made


def _codes(cache: Cache) -> list[tuple[str, str]]:
    return [(one.verdict, one.code) for one in check_volume(cache)]


def _failing(number: int) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_good_volume_stays_as_it_was(cache: Cache) -> None:
    """One line says that all is well, and no file is left."""
    save_state(cache.state, Saved())
    before = {path: path.stat().st_mtime_ns for path in cache.root.rglob("*")}
    (found,) = check_volume(cache)
    assert (found.verdict, found.check, found.subject) == ("ok", "cache volume", str(cache.root))
    assert found.message.startswith("writable, ")
    assert {path: path.stat().st_mtime_ns for path in cache.root.rglob("*")} == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A start makes it, where it may; a file in its place is wrong."""
    assert _codes(Cache(tmp_path / "a" / "b")) == [("warning", "cache_missing")]
    (tmp_path / "file").touch()
    assert _codes(Cache(tmp_path / "file")) == [("failed", "cache_not_writable")]
    assert _codes(Cache(tmp_path / "file" / "below")) == [("failed", "cache_not_writable")]


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("open", 30, "cache_not_writable"),
        ("open", 13, "cache_not_writable"),
        ("fsync", 28, "cache_full"),
        ("fsync", 122, "cache_full"),
        ("fsync", 5, "cache_not_writable"),
    ],
)
def test_a_volume_that_refuses(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, name: str, number: int, code: str
) -> None:
    """Read-only, denied, full, over its quota, broken: the probe tells, and is removed."""
    with monkeypatch.context() as patch:
        patch.setattr(os, name, _failing(number))
        found = check_volume(cache)
    assert ("failed", code) in [(one.verdict, one.code) for one in found]
    assert list(cache.root.glob(".*")) == []


def test_little_room(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below what a start needs it fails, a little above it is a warning."""
    free = {"bytes": (64 << 20) - 1}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(0, 0, free["bytes"]))
    assert _codes(cache) == [("failed", "cache_full")]
    free["bytes"] += 1
    assert _codes(cache) == [("warning", "cache_nearly_full")]
    free["bytes"] = 512 << 20
    assert _codes(cache) == [("ok", "")]


def test_a_file_system_without_locks(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas on it would not know of each other."""
    monkeypatch.setattr(volume, "try_lock", lambda _: "unsupported")
    assert _codes(cache) == [("warning", "cache_without_locks")]


def test_a_disk_that_forgets(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back must be what was written."""
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"other")
    assert ("failed", "cache_untrue") in _codes(cache)


def test_a_state_that_cannot_be_understood(cache: Cache) -> None:
    """It is named, for its pins and rollbacks are lost."""
    cache.state.write_text("{")
    (found,) = check_volume(cache)
    assert (found.verdict, found.code) == ("warning", "state_unreadable")
    assert found.message == "state.json cannot be understood"
