"""Watch the project: tell of every change once it has settled, and of what is wrong.

A change counts when two looks find the same, so that no half-copied project is taken. A project
that cannot be looked at is told, and asked again with growing pauses.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from offloader.errors import Problem, SourceUnavailable
from offloader.service import log
from offloader.service.project import Project

SETTLE_LOOKS = 50
FIRST_PAUSE_SECONDS = 1.0


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class ConfigSeen:
    """What a look found: a changed project, its problems, or why it could not be looked at.

    Without any of these it is as it was, after looks that failed. `on_applied` is called once the
    project is in effect. `fingerprint` is that of what was read, empty for that of the look;
    `fetched_at` is in seconds since the epoch, 0 for a folder.
    """

    project: Project | None
    problems: tuple[Problem, ...] = ()
    failure: SourceUnavailable | None = None
    fingerprint: str = ""
    fetched_at: float = 0.0
    on_applied: Callable[[], None] = _nothing

    @property
    def is_unchanged(self) -> bool:
        """Whether it is as it was told before."""
        return self.project is None and not self.problems and self.failure is None


class ProjectSource(Protocol):
    """Where a project is read from. Used by one thread."""

    settle_seconds: float

    def fingerprint(self) -> str:
        """Return a digest that changes when the project does; raises SourceUnavailable."""

    def read(self) -> ConfigSeen:
        """Read and check the project; raises SourceUnavailable."""


class ConfigWatch:
    """Looks at a project every `interval_seconds` (0: only when asked) and tells of changes.

    `chance` is random in [0, 1).
    """

    def __init__(
        self,
        source: ProjectSource,
        interval_seconds: float,
        tell: Callable[[ConfigSeen], None],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._interval_seconds = interval_seconds
        self._tell = tell
        self._chance = chance
        self._wake = threading.Event()
        self._pause = threading.Event()  # never set
        self._told = ""
        self._failures = 0

    def start(self) -> None:
        """Watch from now on, in a daemon thread."""
        threading.Thread(target=self._run, name="config", daemon=True).start()

    def check_now(self) -> None:
        """Look at once, also when watching is off."""
        self._wake.set()

    def look(self) -> None:
        """Look once: wait for a change to settle, read the project, tell of it."""
        try:
            found = self._settled()
            if found == self._told:
                if self._failures:
                    self._tell(ConfigSeen(None))
                self._failures = 0
                return
            seen = self._source.read()
        except SourceUnavailable as error:
            self._failures += 1
            self._tell(ConfigSeen(None, failure=error))
            return
        self._failures = 0
        self._tell(seen)
        self._told = seen.fingerprint or found

    def pause_seconds(self) -> float:
        """Return how long to wait for the next look: less than the interval after failures.

        The pause doubles with each failure, up to the interval, and is between half and all of it.
        """
        if not self._failures:
            return self._interval_seconds
        longest = min(self._interval_seconds, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 30))
        return longest * (1 + self._chance()) / 2

    def _settled(self) -> str:
        """Return the fingerprint once two looks agree on one, or once it is clear none will."""
        found = self._source.fingerprint()
        if found == self._told:
            return found
        for _ in range(SETTLE_LOOKS):
            self._pause.wait(self._source.settle_seconds)
            before, found = found, self._source.fingerprint()
            if before == found:
                break
        return found

    def _run(self) -> None:
        if self._interval_seconds:
            self._wake.set()  # it may have changed since main read it
        while True:
            self._wake.wait(self.pause_seconds() or None)
            self._wake.clear()
            try:
                self.look()
            except Exception as error:
                log.broke("config_watch_broke", error)
