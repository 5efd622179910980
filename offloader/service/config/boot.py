"""Open a project in a bucket at the start: the newest revision, else the last good one.

Main asks no network: a short-lived process fetches, and main reads what lies on the cache volume
then. A replica that restarts while the bucket is down, or holds a wrong project, comes up with what
was in effect before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from offloader.catalog.documents import load_catalog
from offloader.errors import ConfigError, Problem, SourceUnavailable
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.config.revisions import Revision, Revisions
from offloader.service.project import Project
from offloader.stores.access import Access
from offloader.stores.location import Location

# With a revision to fall back on a start does not wait for a bucket that hangs.
FALLBACK_AFTER_SECONDS = 30.0
GIVE_UP_AFTER_SECONDS = 120.0
_SHOWN_BYTES = 2000
_SHOWN_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the newest revision is not in effect: what is wrong with it, or with fetching it.

    `at` is when that was found, seconds since the epoch; `error` is (code, message, hint).
    """

    at: float
    problems: tuple[Problem, ...] = ()
    error: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a project came from, when its revision was fetched, and when it was opened.

    Times are seconds since the epoch.
    """

    place: Location
    fetched_at: float
    opened_at: float
    trouble: Trouble | None = None

    def as_of_now(self, revisions: Revisions) -> Origin:
        """Return what holds when another revision was put into effect since."""
        if revisions.applied_at() <= self.opened_at:
            return self
        revision = revisions.last_good()
        fetched_at = self.fetched_at if revision is None else revision.fetched_at
        return replace(self, fetched_at=fetched_at, trouble=None)


class Fetching:
    """A fetch that is under way in a process of its own."""

    def __init__(
        self,
        place: Location,
        access: Access,
        cache: Cache,
        clock: Callable[[], float] = time.time,
        *,
        limits_seconds: tuple[float, float] = (FALLBACK_AFTER_SECONDS, GIVE_UP_AFTER_SECONDS),
    ) -> None:
        """Begin; `limits_seconds` are with and without a revision to fall back on."""
        self._place = place
        self._clock = clock
        self._limits_seconds = limits_seconds
        self._revisions = Revisions(cache.root, place)
        self._began = time.monotonic()
        self._process = _started(
            {
                "place": str(place),
                "cache": str(cache.root),
                "access": access.as_document(),
                "parent_pid": os.getpid(),
            }
        )

    def project(self) -> tuple[Project, Origin]:
        """Wait for the project; return the newest one, or the one that was in effect last.

        Raises ConfigError with every problem when there is neither.
        """
        last_good = self._revisions.last_good()
        with_fallback, without = self._limits_seconds
        try:
            revision = self._fetched(without if last_good is None else with_fallback)
            project, origin = self._opened(revision)
        except ConfigError as error:
            return self._fallen_back(last_good, Trouble(self._clock(), error.problems))
        except SourceUnavailable as error:
            told = (error.code, error.message, error.hint)
            return self._fallen_back(last_good, Trouble(self._clock(), error=told))
        self._use(revision)
        return project, replace(origin, opened_at=self._clock())

    def _opened(self, revision: Revision, trouble: Trouble | None = None) -> tuple[Project, Origin]:
        catalog, documents = load_catalog(revision.files)
        origin = Origin(self._place, revision.fetched_at, self._clock(), trouble)
        return Project(revision.files, documents, catalog, self._place), origin

    def _use(self, revision: Revision) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        log.event("config_fetched", location=str(self._place), seconds=seconds)
        try:
            self._revisions.use(revision, self._clock())
        except SourceUnavailable as error:
            log.warning("config_not_kept", code=error.code, message=error.message, hint=error.hint)

    def _fallen_back(self, last_good: Revision | None, trouble: Trouble) -> tuple[Project, Origin]:
        if last_good is None:
            raise ConfigError(_problems_of(trouble))
        try:
            opened = self._opened(last_good, trouble)
        except ConfigError:  # this version of the service sees something wrong with it
            raise ConfigError(_problems_of(trouble)) from None
        code, message, hint = trouble.error or _WRONG
        log.warning(
            "config_fallback",
            location=str(self._place),
            code=code,
            message=message,
            problems=[str(problem) for problem in trouble.problems[:_SHOWN_PROBLEMS]],
            fetched_at=log.moment(last_good.fetched_at),
            hint=f"the config before it is in effect; {hint}",
        )
        return opened

    def _fetched(self, limit_seconds: float) -> Revision:
        outcome = self._outcome(limit_seconds)
        if outcome["ok"]:
            revision = self._revisions.named(outcome["revision"])
            assert revision is not None
            return revision
        if outcome["problems"]:
            raise ConfigError(Problem(**problem) for problem in outcome["problems"])
        raise SourceUnavailable(outcome["code"], outcome["message"], outcome["hint"])

    def _outcome(self, limit_seconds: float) -> Mapping[str, Any]:
        left = max(0.0, self._began + limit_seconds - time.monotonic())
        try:
            out, err = self._process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            message = f"the project was not fetched within {limit_seconds:g} s"
            hint = "check network, DNS, proxy and firewall to the bucket"
            raise SourceUnavailable("config_fetch_timeout", message, hint) from None
        except BaseException:
            self._process.kill()
            raise
        try:
            outcome: Mapping[str, Any] = json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            last = err.decode(errors="replace")[-_SHOWN_BYTES:].strip().splitlines()[-1:]
            kind = "".join(last).partition(":")[0]  # what follows may quote a header
            message = f"the fetch ended with {self._process.returncode} {kind}"
            hint = "most often memory ran out: give the container more"
            raise SourceUnavailable("config_fetch_killed", message.strip(), hint) from None
        return outcome


_WRONG = ("config_invalid", "the newest config is wrong", "repair it, and it is taken over")


def _started(job: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "offloader.service.config.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the service, and it dies with that
    )
    assert process.stdin is not None
    with suppress(OSError):  # it has ended already: its exit code says why
        process.stdin.write(json.dumps(job).encode())  # far less than what a pipe holds
        process.stdin.close()
    process.stdin = None
    return process


def _problems_of(trouble: Trouble) -> tuple[Problem, ...]:
    if trouble.error is None:
        return trouble.problems
    return (Problem("environment", "OFFLOADER_CONFIG", *trouble.error),)
