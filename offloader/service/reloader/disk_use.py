"""What takes the room of the cache volume, by kind of file; looked at now and then, aside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK_SECONDS = 30.0
SOON_SECONDS = 2.0
# Each is a folder of the volume; whatever else lies there is `other`.
KINDS = ("segments", "manifests", "config", "downloads", "rebuilding", "quarantine")
_MOST_FILES = 200_000
_BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own are


class DiskUse:
    """Measures the volume at `root` when it is asked for and the last time is long ago.

    `aside` runs work in another thread: a volume that hangs must hold up nothing else.
    """

    def __init__(
        self,
        root: Path,
        clock: Callable[[], float],
        aside: Callable[[Callable[[], None]], object],
    ) -> None:
        self._root = root
        self._clock = clock
        self._aside = aside
        self._is_looking = False
        self._looked_at = 0.0
        self._total_bytes: int | None = None
        self._bytes: dict[str, int] | None = None

    def document(self, changed_at: float) -> dict[str, Any]:
        """Return what the board says; null before the first look is done.

        What changed since the last look, in seconds since the epoch, has it looked at soon.
        """
        now = self._clock()
        pause = SOON_SECONDS if changed_at > self._looked_at else LOOK_SECONDS
        if not self._is_looking and not 0 <= now - self._looked_at < pause:
            self._is_looking, self._looked_at = True, now
            self._aside(self._look)
        return {"cache_total_bytes": self._total_bytes, "cache_bytes": self._bytes}

    def _look(self) -> None:
        try:
            found = os.statvfs(self._root)
            self._total_bytes = found.f_blocks * found.f_frsize
            self._bytes = bytes_by_kind(self._root)
        except OSError:
            self._total_bytes = self._bytes = None
        finally:
            self._is_looking = False


def bytes_by_kind(root: Path) -> dict[str, int]:
    """Return the bytes that files below a volume's folder take on it; raises OSError.

    Links are not followed. Of more than 200,000 files the rest is not counted.
    """
    found = dict.fromkeys((*KINDS, "other"), 0)
    for count, (kind, size_bytes) in enumerate(_files(root)):
        if count == _MOST_FILES:
            break
        found[kind] += size_bytes
    return found


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each file's kind and size; one that goes away meanwhile is passed over."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        top = Path(folder).relative_to(root).parts[:1]
        kind = top[0] if top and top[0] in KINDS else "other"
        for name in names:
            with suppress(OSError):
                seen = os.stat(os.path.join(folder, name), follow_symlinks=False)  # noqa: PTH116,PTH118
                yield kind, seen.st_blocks * _BLOCK_BYTES
