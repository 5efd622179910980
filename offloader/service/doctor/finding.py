"""A finding: what one check saw, whose it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from offloader.errors import OffloaderError, Problem
from offloader.service.blame import Area, Blame, Of, blame_of, is_known

Heading = Literal["us", "environment", "upstream"]
Verdict = Literal["ok", "warning", "failed"]
# What only this command finds, and where a runbook says more.
_RUNBOOKS = {
    "admin_token_missing": "Before you type",
    "cache_missing": "Does not start",
    "cache_nearly_full": "Disk full",
    "cache_unreadable": "Cache corrupted",
    "cache_untrue": "Cache corrupted",
    "cache_without_locks": "Cache corrupted",
    "clock_behind": "Stale",
    "config_differs": "Stale",
    "descriptors_low": "Does not start",
    "instance_answer_invalid": "Before you type",
    "instance_unreachable": "Does not start",
    "kernel_feature_missing": "Does not start",
    "memory_limit_above_machine": "Memory full",
    "memory_tight": "Memory full",
    "not_ready": "Does not start",
    "package_missing": "Rollback to previous image",
    "state_unreadable": "Cache corrupted",
    "unauthorized": "Auth",
    "no_admin_token": "Auth",
    "version_differs": "Rollback to previous image",
    "workers_above_cpus": "Latency",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; `code`, `hint` and `runbook` are empty for what is well.

    `subject` is what was looked at: a dataset, a folder, a port. `runbook` is a page of the
    documentation and the place in it.
    """

    heading: Heading
    check: str
    subject: str
    verdict: Verdict
    message: str
    code: str = ""
    hint: str = ""
    runbook: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """What the findings of one check have in common; `of` is what its codes are of."""

    heading: Heading
    name: str
    subject: str = ""
    of: Of = "start"

    def ok(self, message: str) -> Finding:
        """Say that all is well."""
        return Finding(self.heading, self.name, self.subject, "ok", message)

    def warn(self, code: str, message: str, hint: str) -> Finding:
        """Say what somebody should look at; the service works all the same."""
        return self._made("warning", code, message, hint)

    def fail(self, code: str, message: str, hint: str) -> Finding:
        """Say what is broken."""
        return self._made("failed", code, message, hint)

    def of_error(self, error: OffloaderError) -> Finding:
        """Return what is broken as the error says it."""
        return self._made("failed", error.code, error.message, error.hint)

    def of_problems(self, problems: Iterable[Problem], verdict: Verdict) -> list[Finding]:
        """Return a finding for each problem, which names its place."""
        return [
            self._made(verdict, one.code, f"{place_of(one)}: {one.message}", one.hint)
            for one in problems
        ]

    def _made(self, verdict: Verdict, code: str, message: str, hint: str) -> Finding:
        where = (self.heading, self.name, self.subject)
        return Finding(*where, verdict, message, code, hint, runbook_of(code, self.of))


def heading_of(area: Area) -> Heading:
    """Return whose an area is: the service and its config are ours."""
    return area if area in ("upstream", "environment") else "us"


def runbook_of(code: str, of: Of) -> str:
    """Return where the runbook for a code stands, empty when there is none."""
    if is_known(code, of):
        return blame_of(code, of).link
    title = _RUNBOOKS.get(code)
    return Blame("none", title).link if title else ""


def place_of(problem: Problem) -> str:
    """Return the file of a problem, and the place in it."""
    return f"{problem.file}: {problem.path}" if problem.path else problem.file
