"""What an expression of PromQL reads: its selectors, and the labels it groups or matches by.

Not a parser: it finds words, and knows which are not metrics. Prometheus itself says whether an
expression is valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_STRING_OR_RANGE = re.compile(r"\[[^\]]*\]")
_WORDS = frozenset(
    {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"}
    | {"group_left", "group_right"}
)


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric of an expression; `matchers` are (label, operator, value)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def selectors(expression: str) -> list[Selector]:
    """Return every selector of an expression, in its order."""
    text = _STRING_OR_RANGE.sub("", _GROUPING.sub("", expression))
    found = []
    for match in _SELECTOR.finditer(text):
        name, braces = match[1], match[2] or ""
        is_function = text[match.end() :].lstrip().startswith("(")
        is_inside = text.count("{", 0, match.start()) > text.count("}", 0, match.start())
        if name in _WORDS or is_function or is_inside or _is_number(text, match.start()):
            continue
        found.append(Selector(name, tuple(_MATCHER.findall(braces))))
    return found


def grouping_labels(expression: str) -> set[str]:
    """Return the labels an expression groups or matches by."""
    lists = (names for _, names in _GROUPING.findall(expression))
    return {name.strip() for names in lists for name in names.split(",") if name.strip()}


def _is_number(text: str, at: int) -> bool:
    """Tell whether a word belongs to a number such as `1e9`."""
    return at > 0 and (text[at - 1].isdigit() or text[at - 1] == ".")
