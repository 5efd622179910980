"""Read typed fields out of a manifest's objects; each misfit becomes a Problem, none an exception.

A reader returns an empty value after a problem: the caller goes on and finds the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from offloader.catalog.strict_json import shown
from offloader.catalog.values import parse_timestamp
from offloader.errors import Problem

_Value = TypeVar("_Value")

MAX_PROBLEMS = 100
MAX_TEXT = 256
MAX_COLUMN_NAME = 255
MAX_COUNT = 2**53 - 1  # what every JSON reader keeps exact

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SNAPSHOT_ID = re.compile(r"[A-Za-z0-9:_.-]{1,200}")
_FINER_THAN_MICROSECONDS = re.compile(r"(\.[0-9]{6})[0-9]{1,3}(?=Z|[+-])")


class ProblemList:
    """Collects problems of one file: the first 100, and how many more there were."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0
        self._kept: list[Problem] = []

    def add(self, path: str, code: str, message: str, hint: str = "") -> None:
        """Record one problem at `path`."""
        self.count += 1
        if self.count <= MAX_PROBLEMS:
            self._kept.append(Problem(self.file, path, code, message, hint))

    def finish(self) -> tuple[Problem, ...]:
        """Return what was recorded."""
        more = self.count - len(self._kept)
        if not more:
            return tuple(self._kept)
        message = f"{more} more problems are not shown"
        note = Problem(self.file, "", "more_problems", message, "repair the shown ones first")
        return (*self._kept, note)


class Reader:
    """Reads the fields of one JSON object that stands at `place` of the file."""

    def __init__(self, document: Mapping[str, object], place: str, problems: ProblemList) -> None:
        self.document = document
        self.place = place
        self.problems = problems

    def problem(self, key: str, code: str, message: str, hint: str = "") -> None:
        """Record a problem of the field `key`."""
        self.problems.add(f"{self.place}{key}", code, message, hint)

    def raw(self, key: str, wanted: str) -> object:
        """Return a required field as it is, None when it is absent; `wanted` words the hint."""
        if key in self.document:
            return self.document[key]
        self.problem(key, "missing_key", "it is required and not there", f"add {wanted}")
        return None

    def text(self, key: str) -> str:
        """Read a string of 1 to 256 characters without control characters."""
        wanted = f"a text of 1 to {MAX_TEXT} characters without control characters"
        value = self._typed(key, str, wanted)
        if value is None:
            return ""
        if not 1 <= len(value) <= MAX_TEXT or has_control(value):
            return self._bad_value(key, "text_invalid", value, wanted)
        return value

    def identifier(self, key: str) -> str:
        """Read an id of the contract: `[a-z][a-z0-9_]*`, at most 63 characters."""
        wanted = "an id such as `usage`: [a-z][a-z0-9_]*, up to 63"
        return self._matching(key, "bad_identifier", _IDENTIFIER, wanted)

    def snapshot_id(self, key: str) -> str:
        """Read a snapshot's id: `[A-Za-z0-9:_.-]{1,200}`."""
        wanted = "1 to 200 of letters, digits, `:`, `_`, `.`, `-`"
        return self._matching(key, "bad_snapshot_id", _SNAPSHOT_ID, wanted)

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Read one of a few words."""
        pattern = re.compile("|".join(allowed))
        return self._matching(key, "not_a_choice", pattern, f"one of {', '.join(allowed)}")

    def moment(self, key: str) -> int:
        """Read an ISO 8601 time with zone as µs since the epoch; finer digits are dropped."""
        wanted = "a time with a zone, such as 2026-06-01T00:00:00Z"
        value = self._typed(key, str, wanted)
        if value is None:
            return 0
        try:
            return parse_timestamp(_FINER_THAN_MICROSECONDS.sub(r"\1", value))
        except ValueError:
            self._bad_value(key, "bad_timestamp", value, wanted)
            return 0

    def count(self, key: str) -> int:
        """Read a whole number from 0 to 2**53 - 1."""
        wanted = f"a whole number from 0 to {MAX_COUNT}"
        value = self._typed(key, int, wanted)
        if value is None:
            return 0
        if not 0 <= value <= MAX_COUNT:
            self.problem(key, "out_of_range", "it is out of range", f"write {wanted}")
            return 0
        return value

    def version(self, key: str) -> str:
        """Read a version, a text or a whole number, as text."""
        if type(self.document.get(key)) is int:
            return str(self.count(key))
        return self.text(key)

    def names(self, key: str) -> tuple[str, ...]:
        """Read a list of different column names."""
        entries = self.entries(key, "a list of column names, [] for none")
        found: list[str] = []
        for index, entry in enumerate(entries):
            if not isinstance(entry, str):
                self.problem(f"{key}[{index}]", "wrong_type", "it is not a text", "name a column")
            elif entry in found:
                message = f"{shown(entry)} stands there twice"
                self.problem(f"{key}[{index}]", "duplicate_item", message, "name it once")
            else:
                found.append(entry)
        return tuple(found)

    def entries(self, key: str, wanted: str) -> list[object]:
        """Read a list."""
        return self._typed(key, list, wanted) or []

    def _matching(self, key: str, code: str, pattern: re.Pattern[str], wanted: str) -> str:
        value = self._typed(key, str, wanted)
        if value is None:
            return ""
        return value if pattern.fullmatch(value) else self._bad_value(key, code, value, wanted)

    def _typed(self, key: str, kind: type[_Value], wanted: str) -> _Value | None:
        value = self.raw(key, wanted)
        if type(value) is kind:  # not isinstance: true is an int to Python, not to JSON
            return value
        if key in self.document:
            message = f"it is {_JSON_NAMES[type(value)]}"
            self.problem(key, "wrong_type", message, f"write {wanted}")
        return None

    def _bad_value(self, key: str, code: str, value: str, wanted: str) -> str:
        self.problem(key, code, f"{shown(value)} is not allowed", f"write {wanted}")
        return ""


def has_control(text: str) -> bool:
    """Tell whether a text holds a control character (C0, DEL, C1) or a line separator."""
    return any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text)


_JSON_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number with a fraction",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
