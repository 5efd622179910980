"""Signals as a runbook's tables state them, and whether a running service shows them.

| where | says |
| `/metrics` | `offloader_ready` is `1` |
| `/metrics` | `offloader_a` / `offloader_b` is above `1` |
| `/status` | `datasets.usage.state` is `active` |
| `/ready` | `reasons` names `dataset usage is not loaded yet` |
| log | `refresh_failed` with `code` `disk_full` |
| log | `not started:` |
| exit code | `2` |
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.service_process import ADMIN_TOKEN, Running

_TABLE = re.compile(r"^\| where \| says \|\n\| --- \| --- \|\n((?:\|.*\n)+)", re.MULTILINE)
_ROW = re.compile(r"\| `?([/a-z ]+)`? \| (.+) \|")
_COMPARED = re.compile(r"`([^`]+)`(?: / `([^`]+)`)? (is|is above|is below|names) `([^`]+)`")
_LOGGED = re.compile(r"`([^`]+)`(?: with (.+))?")
_PAIR = re.compile(r"`([^`]+)` `([^`]+)`")
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "is": operator.eq,
    "is above": operator.gt,
    "is below": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Signal:
    """One row. `what` is a metric, a path in a document, an event or the begin of a line.

    `divisor` is a metric to divide by, empty for none; `verb` says how `value` is compared, and
    `fields` are those of a log line.
    """

    where: str
    what: str
    divisor: str = ""
    verb: str = ""
    value: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    def of(self, names: Mapping[str, str]) -> Signal:
        """Return the same signal of what an example on the page stands for."""
        return replace(self, what=_replaced(self.what, names), value=_replaced(self.value, names))

    def is_shown(self, service: Running) -> bool:
        """Tell whether a running service shows it now."""
        if self.where == "log":
            return any(self._is_line(line) for line in service.lines)
        if self.where == "/metrics":
            return self._is_measured(service.ask_admin("/metrics").body.decode())
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        found = _found(service.ask_admin(self.where, headers).document, self.what)
        if found is None:
            return False
        if self.verb == "names":
            return self.value in found
        if self.verb == "is" and (isinstance(found, str | bool) or found is None):
            return _text(found) == self.value
        return _COMPARISONS[self.verb](float(found), float(self.value))

    def _is_line(self, line: Mapping[str, Any]) -> bool:
        if line.get("event") == self.what:
            return all(_text(line.get(name)) == text for name, text in self.fields)
        return not self.fields and str(line.get("text", "")).startswith(self.what)

    def _is_measured(self, exposition: str) -> bool:
        metrics = dict(line.rsplit(" ", 1) for line in exposition.splitlines() if line[0] != "#")
        if self.what not in metrics or (self.divisor and not float(metrics[self.divisor])):
            return False
        divisor = float(metrics[self.divisor]) if self.divisor else 1.0
        measured = float(metrics[self.what]) / divisor
        return _COMPARISONS[self.verb](measured, float(self.value))


def read_signals(text: str) -> list[list[Signal]]:
    """Return the tables of signals in a Markdown text; fail on a row of another form."""
    return [[_signal(row) for row in table.splitlines()] for table in _TABLE.findall(text)]


def _signal(row: str) -> Signal:
    matched = _ROW.fullmatch(row)
    assert matched, row
    where, says = matched.groups()
    if where == "exit code":
        return Signal(where, "exit code", value=says.strip("`"))
    if where == "log":
        logged = _LOGGED.fullmatch(says)
        assert logged, row
        return Signal(where, logged[1], fields=tuple(_PAIR.findall(logged[2] or "")))
    compared = _COMPARED.fullmatch(says)
    assert compared, row
    what, divisor, verb, value = compared.groups()
    return Signal(where, what, divisor or "", verb, value)


def _found(document: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(document, list):
            document = document[int(step)] if int(step) < len(document) else None
        else:
            document = (document or {}).get(step)
    return document


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for shown, real in names.items():
        text = text.replace(shown, real)
    return text
