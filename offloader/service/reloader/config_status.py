"""The config as the reloader has it: take a new one over, or keep the old and say why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offloader.catalog.project import PROJECT_FILE
from offloader.errors import ConfigError, Problem, SourceUnavailable
from offloader.service import log
from offloader.service.config.boot import Origin
from offloader.service.project import Project
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.main_link import Refused
from offloader.service.reloader.swap import Swapper
from offloader.service.timeline import Kind, Timeline

MAX_SHOWN_PROBLEMS = 50
MAX_TRIES = 8  # each puts one damaged part away
AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class ConfigStatus:
    """The config as it was last seen; times are seconds since the epoch, 0 for never.

    `problems` are those of the newest config, `error` says as (code, message, hint) why that could
    not be looked at, and `failing_at` since when there is either. `location` and `fetched_at` are
    of a config in a bucket. `waiting` is one that main refused: what is wrong then is not the
    config.
    """

    is_watched: bool
    revision: str
    problems: tuple[Problem, ...] = ()
    checked_at: float = 0.0
    waiting: ConfigSeen | None = None
    error: tuple[str, str, str] | None = None
    failing_at: float = 0.0
    location: str | None = None
    fetched_at: float = 0.0
    timeline: Timeline = field(default_factory=lambda: Timeline(time.time))

    @classmethod
    def begin(
        cls, revision: str, origin: Origin | None, *, is_watched: bool, timeline: Timeline
    ) -> ConfigStatus:
        """Return what is known before the first look; `origin` is of a config in a bucket."""
        status = cls(is_watched, revision, timeline=timeline)
        if origin is None:
            return status
        trouble = origin.trouble
        status.location, status.fetched_at = str(origin.place), origin.fetched_at
        if trouble is not None:
            status.problems, status.error = trouble.problems, trouble.error
            status.checked_at = status.failing_at = trouble.at
        return status

    @property
    def is_ok(self) -> bool:
        """Whether the newest config is in effect, as far as is known."""
        return not self.problems and self.error is None

    def again(self, now: float) -> ConfigSeen | None:
        """Return the config that main refused, once it is time to try it again."""
        return self.waiting if now >= self.checked_at + AGAIN_SECONDS else None

    def take(self, seen: ConfigSeen, swapper: Swapper, now: float) -> bool:
        """Serve a changed config as far as it needs no build; tell whether it counts now."""
        if seen.failure is not None:
            self.note_unreachable(seen.failure, now)
            return False
        self._note_reached(now)
        if seen.is_unchanged:
            return False
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
        self.fetched_at = seen.fetched_at
        seen.on_applied()
        return True

    def note_applied(self, project: Project, now: float) -> None:
        """A new config counts from now on."""
        is_news = self.problems or self.revision != project.catalog.revision
        self.revision, self.problems = project.catalog.revision, ()
        self.checked_at, self.failing_at = now, 0.0
        if is_news:
            self.timeline.add("config_applied", by="config")
            log.event("config_applied", revision=self.revision)

    def note_refused(self, problems: Iterable[Problem], now: float) -> None:
        """The new config is wrong; the one before goes on."""
        found = tuple(problems)
        if found != self.problems:
            shown = [str(problem) for problem in found[:MAX_SHOWN_PROBLEMS]]
            hint = "the config before it stays in effect; repair it, and it is taken over"
            self._tell("config_refused", found[0].code, str(found[0]).splitlines()[0])
            log.error("config_refused", problems=shown, count=len(found), hint=hint)
        self.problems, self.checked_at = found, now
        self.failing_at = self.failing_at or now

    def note_unreachable(self, error: SourceUnavailable, now: float) -> None:
        """The config cannot be looked at; the one in effect goes on."""
        if self.error is None or self.error[0] != error.code:
            hint = f"the config in effect stays; {error.hint}"
            self._tell("config_unreachable", error.code, error.message)
            log.warning("config_unreachable", code=error.code, message=error.message, hint=hint)
        self.error = (error.code, error.message, error.hint)
        self.checked_at = now
        self.failing_at = self.failing_at or now

    def document(self, pending: Iterable[str]) -> Mapping[str, Any]:
        """Return what the board says; `pending` are the datasets on an older contract."""
        return {
            "sync_enabled": self.is_watched,
            "ok": self.is_ok,
            "revision": self.revision,
            "pending": sorted(pending),
            "problems": [problem.as_dict() for problem in self.problems[:MAX_SHOWN_PROBLEMS]],
            "error": dict(zip(("code", "message", "hint"), self.error, strict=True))
            if self.error
            else None,
            "checked_at": self.checked_at,
            "failing_at": self.failing_at,
            "location": self.location,
            "fetched_at": self.fetched_at,
        }

    def _tell(self, kind: Kind, code: str, message: str) -> None:
        self.timeline.add(kind, by="config", code=code, message=message)

    def _note_reached(self, now: float) -> None:
        if self.error is not None:
            log.event("config_reachable")
        self.error, self.checked_at = None, now
        if not self.problems:
            self.failing_at = 0.0
