"""The config as the reloader has it: take a new one over, or keep the old and say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offloader.catalog.project import PROJECT_FILE
from offloader.errors import ConfigError, Problem
from offloader.service import log
from offloader.service.project import Project
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.main_link import Refused
from offloader.service.reloader.swap import Swapper

MAX_SHOWN_PROBLEMS = 50
MAX_TRIES = 8  # each puts one damaged part away
AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class ConfigStatus:
    """The config as it was last seen; `checked_at` is seconds since the epoch.

    `waiting` is one that main refused: what is wrong then is not the config.
    """

    is_watched: bool
    revision: str
    problems: tuple[Problem, ...] = ()
    checked_at: float = 0.0
    waiting: ConfigSeen | None = None

    def again(self, now: float) -> ConfigSeen | None:
        """Return the config that main refused, once it is time to try it again."""
        return self.waiting if now >= self.checked_at + AGAIN_SECONDS else None

    def take(self, seen: ConfigSeen, swapper: Swapper, now: float) -> bool:
        """Serve a changed config as far as it needs no build; tell whether it counts now."""
        self.waiting = None
        if seen.project is None:
            self.note_refused(seen.problems, now)
            return False
        result = None
        for _ in range(MAX_TRIES):
            try:
                result = swapper.swap(seen.project, {})
            except ConfigError as error:
                self.note_refused(error.problems, now)
                return False
            if not isinstance(result, Refused) or result.damaged is None:
                break
        if isinstance(result, Refused):
            problem = Problem(PROJECT_FILE, "", result.code, result.message, result.hint)
            self.note_refused([problem], now)
            self.waiting = seen
            return False
        self.note_applied(seen.project, now)
        return True

    def note_applied(self, project: Project, now: float) -> None:
        """A new config counts from now on."""
        is_news = self.problems or self.revision != project.catalog.revision
        self.revision, self.problems, self.checked_at = project.catalog.revision, (), now
        if is_news:
            log.event("config_applied", revision=self.revision)

    def note_refused(self, problems: Iterable[Problem], now: float) -> None:
        """The new config is wrong; the one before goes on."""
        found = tuple(problems)
        if found != self.problems:
            shown = [str(problem) for problem in found[:MAX_SHOWN_PROBLEMS]]
            hint = "the config before it stays in effect; repair it, and it is taken over"
            log.error("config_refused", problems=shown, count=len(found), hint=hint)
        self.problems, self.checked_at = found, now

    def document(self, pending: Iterable[str]) -> Mapping[str, Any]:
        """Return what the board says; `pending` are the datasets on an older contract."""
        return {
            "sync_enabled": self.is_watched,
            "ok": not self.problems,
            "revision": self.revision,
            "pending": sorted(pending),
            "problems": [problem.as_dict() for problem in self.problems[:MAX_SHOWN_PROBLEMS]],
            "checked_at": self.checked_at,
        }
