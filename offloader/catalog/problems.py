"""Collect every problem of a project, so that one run reports them all."""

from __future__ import annotations

from offloader.catalog.codes import CODES
from offloader.catalog.strict_json import shown
from offloader.errors import Problem

MAX_PROBLEMS = 1000
_PRINTED_DIGITS_BITS = 128


class Problems:
    """The problems found so far: at most 1000 are kept, the rest are counted."""

    def __init__(self) -> None:
        self._kept: dict[Problem, None] = {}
        self._dropped = 0

    def add(self, file: str, path: str, code: str, message: str, hint: str = "") -> None:
        """Record one problem, once; KeyError for a code that is not in `CODES`."""
        if code not in CODES:
            raise KeyError(code)
        if not self.is_full:
            self._kept[Problem(file, path, code, message, hint)] = None
        else:
            self._dropped += 1

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted, so that their hints need no work."""
        return len(self._kept) >= MAX_PROBLEMS

    def found(self) -> tuple[Problem, ...]:
        """Return what was recorded, and a note when there was more."""
        if not self._dropped:
            return tuple(self._kept)
        message = f"{self._dropped} more problems are not shown"
        note = Problem("offloader.yml", "", "more_problems", message, "repair the shown ones first")
        return (*self._kept, note)

    def __bool__(self) -> bool:
        return bool(self._kept)


def described(value: object) -> str:
    """Return a few printable words for any value of a document."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, int) and value.bit_length() > _PRINTED_DIGITS_BITS:
        return "a huge number"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a mapping"
