"""Watch the project's files: tell of every change once it has settled, and of what is wrong.

Content is compared, not times: a ConfigMap is mounted by swapping a symlink, and an editor may
keep times. A change counts when two looks find the same bytes, so that no half-copied project is
taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from offloader.catalog.documents import load_catalog
from offloader.catalog.project_files import fingerprint
from offloader.errors import ConfigError, Problem
from offloader.service import log
from offloader.service.project import Project

SETTLE_SECONDS = 0.2
SETTLE_LOOKS = 50


@dataclass(frozen=True, slots=True, eq=False)
class ConfigSeen:
    """What a look at a changed project found: the project, or its problems."""

    project: Project | None
    problems: tuple[Problem, ...] = ()


class ConfigWatch:
    """Looks at a project every `interval_seconds` (0: only when asked) and tells of changes."""

    def __init__(
        self,
        location: Path,
        interval_seconds: float,
        tell: Callable[[ConfigSeen], None],
        *,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._location = location
        self._interval_seconds = interval_seconds
        self._tell = tell
        self._settle_seconds = settle_seconds
        self._wake = threading.Event()
        self._pause = threading.Event()  # never set
        self._told = ""

    def start(self) -> None:
        """Watch from now on, in a daemon thread."""
        threading.Thread(target=self._run, name="config", daemon=True).start()

    def check_now(self) -> None:
        """Look at once, also when watching is off."""
        self._wake.set()

    def look(self) -> None:
        """Look once: wait for a change to settle, read the project, tell of it."""
        found = fingerprint(self._location)
        if found == self._told:
            return
        for _ in range(SETTLE_LOOKS):
            self._pause.wait(self._settle_seconds)
            before, found = found, fingerprint(self._location)
            if before == found:
                break
        self._tell(read_project(self._location))
        self._told = found

    def _run(self) -> None:
        if self._interval_seconds:
            self._wake.set()  # it may have changed since main read it
        while True:
            self._wake.wait(self._interval_seconds or None)
            self._wake.clear()
            try:
                self.look()
            except Exception as error:
                log.LOGGER.error("config_watch_broke", exc_info=error)


def read_project(location: Path) -> ConfigSeen:
    """Read and check a project, a folder or its offloader.yml."""
    try:
        catalog, documents = load_catalog(location)
    except ConfigError as error:
        return ConfigSeen(None, error.problems)
    root = location if location.is_dir() else location.parent
    return ConfigSeen(Project(root, documents, catalog))
