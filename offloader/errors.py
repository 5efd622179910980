"""The error tree. Every error says what happened, where, and what to do.

    OffloaderError
    ├── ConfigError             settings or project are wrong; carries every Problem (exit 2)
    ├── StartError              this machine or folder cannot run it: port, cache, memory (exit 2)
    ├── SnapshotError           one snapshot cannot be served
    │   ├── SnapshotRefused     deterministic: the producer must publish another (never retried)
    │   └── SourceUnavailable   transient: the source did not answer, disk was full (retried)
    ├── SegmentCorrupt          bytes in the cache differ from their checksums
    ├── OutOfMemoryBudget       does not fit OFFLOADER_MEMORY_LIMIT
    └── RequestError            what an API caller did wrong; carries the HTTP status and family

Codes are stable, lower_snake_case, and never reused. `docs/errors.md` lists all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file (or in the environment): where, what, and what to do.

    `file` is relative to the project's root (`environment` for settings), `path` is the place
    inside it (`params[2].max`, empty for the whole file).
    """

    file: str
    path: str
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.path}" if self.path else self.file
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{place}: [{self.code}] {self.message}{hint}"

    def as_dict(self) -> dict[str, str]:
        """Return the five fields as a JSON object."""
        return asdict(self)


class OffloaderError(Exception):
    """Base of every error this package raises on purpose."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"[{self.code}] {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(OffloaderError):
    """The settings or the project are wrong; `problems` holds all of them, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        super().__init__("config_invalid", f"{count} problem{'s' if count != 1 else ''} found")


class StartError(OffloaderError):
    """This machine, port or folder cannot run the service."""


class SnapshotError(OffloaderError):
    """One snapshot cannot be served; the active one goes on."""


class SnapshotRefused(SnapshotError):
    """A deterministic refusal: the same snapshot under the same contract fails every time.

    `problems` holds every problem found, sorted by place; it may be empty.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", problems: Iterable[Problem] = ()
    ) -> None:
        super().__init__(code, message, hint)
        self.problems = tuple(sorted(problems))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> SnapshotRefused:
        """Make a refusal out of one or more problems: code and words of the first by place."""
        found = sorted(problems)
        first, more = found[0], len(found) - 1
        place = f"{first.file}: {first.path}" if first.path else first.file
        count = f" (and {more} more)" if more else ""
        return SnapshotRefused(first.code, f"{place}: {first.message}{count}", first.hint, found)


class SourceUnavailable(SnapshotError):
    """A transient failure: the same snapshot may succeed later."""


class SegmentCorrupt(OffloaderError):
    """A cached segment's bytes differ from what was written."""


class OutOfMemoryBudget(OffloaderError):
    """A generation does not fit the memory limit."""


class RequestError(OffloaderError):
    """What an API caller did wrong: `status` and `family` as in the API contract.

    `param` names the offending parameter, never its value.
    """

    def __init__(
        self,
        status: int,
        family: str,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.family = family
        self.param = param
        self.headers = headers
