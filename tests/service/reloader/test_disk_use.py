"""What takes the room of the cache volume: counted by kind, now and then, in another thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from offloader.service.reloader.disk_use import KINDS, DiskUse, bytes_by_kind


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with two files of two kinds, one of none, and a link that leads to a large one."""
    for name, size in (("segments/usage/a", 9000), ("segments/usage/b", 1), ("state.json", 10)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    return tmp_path


def on_disk(*paths: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


def test_files_are_counted_by_the_folder_they_lie_in(volume: Path) -> None:
    """As much as they take on the disk; a link counts for itself, not for where it leads."""
    (volume / "config").mkdir()
    (volume / "config" / "link").symlink_to(volume / "segments" / "usage" / "a")
    folder = volume / "segments" / "usage"
    found = bytes_by_kind(volume)
    assert list(found) == [*KINDS, "other"]
    assert found["segments"] == on_disk(folder / "a", folder / "b")
    assert found["other"] == on_disk(volume / "state.json")
    assert found["config"] == on_disk(volume / "config" / "link")


def test_it_is_looked_at_aside_and_not_too_often(volume: Path) -> None:
    """Null before the first look; again after 30 seconds, or 2 when something has changed."""
    now, waiting = [100.0], list[Callable[[], None]]()
    disk = DiskUse(volume, lambda: now[0], waiting.append)
    nothing = {"cache_total_bytes": None, "cache_bytes": None}
    assert disk.document(0.0) == nothing
    now[0] = 200.0
    assert disk.document(0.0) == nothing  # the first look hangs: no second one is begun
    waiting.pop()()
    assert waiting == []
    shown = disk.document(0.0)
    assert shown["cache_bytes"] == bytes_by_kind(volume)
    assert shown["cache_total_bytes"] > 0
    waiting.pop()()
    for seconds, changed_at, is_due in (
        (229.9, 0.0, False),
        (201.9, 201.0, False),
        (202.0, 201.0, True),
    ):
        now[0] = seconds
        disk.document(changed_at)
        assert bool(waiting) is is_due
    waiting.pop()()
    now[0] = 232.0
    disk.document(0.0)
    assert len(waiting) == 1


def test_a_volume_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    """Nothing is said of it, and it is looked at again."""
    now = [100.0]
    disk = DiskUse(tmp_path / "gone", lambda: now[0], lambda look: look())
    assert disk.document(0.0) == {"cache_total_bytes": None, "cache_bytes": None}
    (tmp_path / "gone").mkdir()
    now[0] = 130.0
    assert disk.document(0.0)["cache_bytes"] == dict.fromkeys((*KINDS, "other"), 0)
