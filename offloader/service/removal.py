"""Remove files from a cache volume one by one: counted, spared when young, errors collected."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from offloader.segment.temporary import TEMPORARY_GLOB, remove_abandoned

# Longer than any build: where the file system has no locks, age alone tells what is abandoned.
UNLOCKABLE_SECONDS = 14 * 86_400.0
_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed; `errors` says what could not be, at most a few."""

    files: int = 0
    bytes: int = 0
    errors: tuple[str, ...] = ()


class Removal:
    """Removes files below `root` that are older than `young_seconds` at the time `now`."""

    def __init__(self, root: Path, now: float, young_seconds: float) -> None:
        self.errors: list[str] = []
        self._root = root
        self._now = now
        self._young_seconds = young_seconds
        self._files = 0
        self._bytes = 0

    def result(self) -> Collected:
        """Return what was removed so far."""
        return Collected(self._files, self._bytes, tuple(self.errors[:_MOST_ERRORS]))

    def remove(self, path: Path) -> None:
        """Remove a file, or a link itself, unless it is young."""
        try:
            size_bytes = path.lstat().st_size
            if self.is_older(path, self._young_seconds):
                path.unlink()
                self._count(size_bytes)
        except FileNotFoundError:
            return
        except OSError as error:
            self.note(path, error)

    def remove_temporaries(self, folder: Path) -> None:
        """Remove the temporary files of a folder that nobody writes any more; raises OSError."""
        for path in folder.glob(TEMPORARY_GLOB):
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    self._remove_temporary(path)

    def remove_empty(self, folder: Path) -> None:
        """Remove a folder that is empty and not young."""
        with suppress(OSError):  # it is not empty, or not any more
            if self.is_older(folder, self._young_seconds):
                folder.rmdir()

    def is_older(self, path: Path, seconds: float) -> bool:
        """Tell whether a file was not touched for this long; one that is gone was not."""
        try:
            return self._now - path.lstat().st_mtime >= seconds
        except FileNotFoundError:
            return False

    def is_past_any_build(self, path: Path) -> bool:
        """Tell whether a file is too old for its writer to live."""
        return self.is_older(path, UNLOCKABLE_SECONDS)

    def note(self, path: Path, error: OSError) -> None:
        """Remember that something could not be removed."""
        name = path.relative_to(self._root)
        self.errors.append(f"{name}: {error.strerror or error}")

    def _remove_temporary(self, path: Path) -> None:
        size_bytes = path.lstat().st_size
        if not self.is_older(path, self._young_seconds):
            return
        try:
            was_removed = remove_abandoned(path)
            if was_removed is None and self.is_past_any_build(path):
                path.unlink()
                was_removed = True
        except OSError as error:
            self.note(path, error)
            return
        if was_removed:
            self._count(size_bytes)

    def _count(self, size_bytes: int) -> None:
        self._files += 1
        self._bytes += size_bytes
