"""What the reloader tells of the config: which revision it wants, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offloader.errors import Problem
from offloader.service import log
from offloader.service.project import Project

MAX_SHOWN_PROBLEMS = 50


@dataclass(slots=True)
class ConfigStatus:
    """The config as it was last seen; `checked_at` is seconds since the epoch."""

    is_watched: bool
    revision: str
    problems: tuple[Problem, ...] = ()
    checked_at: float = 0.0

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
