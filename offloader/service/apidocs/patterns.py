"""Patterns of comma-separated texts, for JSON Schema: regular expressions of ECMA-262."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SYNTAX = re.compile(r"[\\^$.*+?()\[\]{}|/]")


def one_of(texts: Iterable[str]) -> str:
    """Return the pattern of one of several texts."""
    return f"(?:{'|'.join(_SYNTAX.sub(_escaped, text) for text in texts)})"


def list_pattern(item: str, most: int) -> str:
    """Return the pattern of 1 to `most` items, a comma between them."""
    return f"^(?:{item}(?:,(?!$)|$)){{1,{most}}}$"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"
