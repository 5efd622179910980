"""Wording that several commands share."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, with an `s` unless there is exactly one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
