"""Read typed fields out of a document's mappings; each misfit becomes a Problem.

A reader returns an empty value after a problem ("" for text, None where a value may be absent),
so that the caller goes on and finds the others. No reader raises.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from offloader.catalog.problems import Problems, described
from offloader.catalog.text_rules import (
    IDENTIFIER,
    IDENTIFIER_HINT,
    nearest_hint,
    repeats,
    shown_key,
    text_fault,
)

MAX_TEXT = 4096
MAX_ITEMS = 1000

_Choice = TypeVar("_Choice", bound=str)
_MISSING = object()


class Fields:
    """The fields of one mapping that stands at `path` of `file`.

    Keys that are not in `known` are reported at once. Asking for a name outside `known` is a
    programming error (KeyError).
    """

    def __init__(
        self, document: object, known: Collection[str], file: str, path: str, problems: Problems
    ) -> None:
        self.file = file
        self.path = path
        self.problems = problems
        self.is_mapping = isinstance(document, Mapping)
        self._known = known
        self._document: Mapping[str, object] = {}
        if isinstance(document, Mapping):
            self._document = document
            self._report_unknown()
        else:
            found = described(document)
            hint = f"write fields such as {', '.join(list(known)[:3])}"
            self.problem("", "not_a_mapping", f"expected a mapping, found {found}", hint)

    def place(self, name: str) -> str:
        """Return the path of a field of this mapping; an index is written `name[2]`."""
        if not name:
            return self.path
        return f"{self.path}.{name}" if self.path else name

    def problem(self, name: str, code: str, message: str, hint: str = "") -> None:
        """Record a problem at the field `name` ("" for the mapping itself)."""
        self.problems.add(self.file, self.place(name), code, message, hint)

    def nearest(self, value: object, allowed: Sequence[str]) -> str:
        """Return a hint that names the nearest of `allowed`; "" when nobody will read it."""
        return "" if self.problems.is_full else nearest_hint(value, allowed)

    def has(self, name: str) -> bool:
        """Tell whether the field is written, whatever its value."""
        return self._value(name) is not _MISSING

    def is_null(self, name: str) -> bool:
        """Tell whether the field is written as null."""
        return self._value(name) is None

    def value(self, name: str) -> object:
        """Return the field as it stands; None when it is not written."""
        value = self._value(name)
        return None if value is _MISSING else value

    def text(
        self,
        name: str,
        *,
        required: bool = False,
        empty: bool = False,
        max_length: int = MAX_TEXT,
        default: str = "",
    ) -> str:
        """Return a text of at most `max_length` characters; an unwritten one is `default`."""
        value = self._asked(name, required)
        if value is _MISSING:
            return default
        if value == "" and empty:
            return ""
        fault = text_fault(value, max_length)
        if fault:
            self.problem(name, *fault)
            return ""
        return str(value)

    def identifier(self, name: str, *, required: bool = True) -> str:
        """Return a safe identifier, "" after a problem or when it is not written."""
        value = self._asked(name, required)
        return "" if value is _MISSING else self.as_identifier(name, value)

    def as_identifier(self, place: str, value: object) -> str:
        """Return `value` when it is a safe identifier, else record a problem at `place`."""
        if isinstance(value, str) and IDENTIFIER.fullmatch(value):
            return value
        code = "bad_identifier" if isinstance(value, str) else "wrong_type"
        message = f"expected an identifier, found {described(value)}"
        self.problem(place, code, message, IDENTIFIER_HINT)
        return ""

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        value = self._value(name)
        if isinstance(value, bool):
            return value
        if value is not _MISSING:
            self._wrong(name, "true or false", value, "write true or false, without quotes")
        return default

    def whole(
        self, name: str, low: int, high: int, *, default: int | None = None, required: bool = False
    ) -> int | None:
        """Return a whole number from `low` to `high`, both included; None after a problem."""
        value = self._asked(name, required)
        if value is _MISSING:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(name, "a whole number", value, f"write a number from {low} to {high}")
            return None
        return value if self._is_inside(name, value, low, high) else None

    def number(self, name: str, low: float, high: float, *, required: bool = False) -> float | None:
        """Return a finite number from `low` to `high`, both included."""
        value = self._asked(name, required)
        if value is _MISSING:
            return None
        hint = f"write a number from {low:.15g} to {high:.15g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(name, "a number", value, hint)
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.problem(name, "out_of_range", "expected a finite number", hint)
            return None
        return float(value) if self._is_inside(name, value, low, high) else None

    def choice(
        self, name: str, allowed: Sequence[_Choice], *, required: bool = False
    ) -> _Choice | None:
        """Return one of `allowed`; None when it is not written or not allowed."""
        value = self._asked(name, required)
        if value is _MISSING:
            return None
        for candidate in allowed:
            if value == candidate and isinstance(value, str):
                return candidate
        message = f"expected one of {', '.join(allowed)}, found {described(value)}"
        self.problem(name, "not_a_choice", message, self.nearest(value, allowed))
        return None

    def items(
        self, name: str, *, required: bool = False, empty: bool = False, most: int = MAX_ITEMS
    ) -> Sequence[object] | None:
        """Return a list of at most `most` items; None after a problem or when not written."""
        value = self._asked(name, required)
        if value is _MISSING:
            return None
        if not isinstance(value, list):
            self._wrong(name, "a list", value, "start each item with - on its own line")
            return None
        if not value and not empty:
            hint = "add an item" if required else "add an item, or leave the field out"
            self.problem(name, "list_empty", "the list is empty", hint)
            return None
        if len(value) > most:
            message = f"the list has {len(value)} items, at most {most} are allowed"
            self.problem(name, "list_too_long", message, "split it, or drop what is not used")
            return None
        return value

    def names(
        self, name: str, *, required: bool = False, empty: bool = False
    ) -> tuple[str, ...] | None:
        """Return a list of distinct identifiers; a refused one is "", so that indexes hold."""
        items = self.items(name, required=required, empty=empty)
        if items is None:
            return None
        found = [self.as_identifier(f"{name}[{i}]", item) for i, item in enumerate(items)]
        for index in repeats(found):
            message = f"{found[index]} is already in the list"
            self.problem(f"{name}[{index}]", "duplicate_item", message, "drop one of the two")
        return tuple(found)

    def section(self, name: str, known: Collection[str]) -> Fields | None:
        """Return the fields of a nested mapping; None when it is not written."""
        value = self._value(name)
        if value is _MISSING:
            return None
        return Fields(value, known, self.file, self.place(name), self.problems)

    def sections(
        self, name: str, known: Collection[str], *, required: bool = False, most: int = MAX_ITEMS
    ) -> list[Fields] | None:
        """Return the fields of each mapping of a list; None when the list is refused.

        A list that is not written has no item; an empty one is refused only where required.
        """
        if not required and not self.has(name):
            return []
        items = self.items(name, required=required, empty=not required, most=most)
        if items is None:
            return None
        place = self.place(name)
        return [
            Fields(item, known, self.file, f"{place}[{i}]", self.problems)
            for i, item in enumerate(items)
        ]

    def _value(self, name: str) -> object:
        if name not in self._known:
            raise KeyError(name)
        return self._document.get(name, _MISSING)

    def _asked(self, name: str, required: bool) -> object:
        value = self._value(name)
        if value is _MISSING and required and self.is_mapping:
            self.problem(name, "missing_key", f"{name} is required", f"add {name}")
        return value

    def _wrong(self, name: str, expected: str, value: object, hint: str) -> None:
        message = f"expected {expected}, found {described(value)}"
        self.problem(name, "wrong_type", message, hint)

    def _is_inside(self, name: str, value: float, low: float, high: float) -> bool:
        if low <= value <= high:
            return True
        message = f"expected {low:.15g} to {high:.15g}, found {described(value)}"
        self.problem(name, "out_of_range", message, "choose a value in that range")
        return False

    def _report_unknown(self) -> None:
        for key in self._document:
            if key not in self._known:
                hint = self.nearest(key, tuple(self._known))
                message = f"{shown_key(key)} is not a field here"
                self.problem(shown_key(key), "unknown_key", message, hint)
