"""The shape of `/status` and `/diagnostics` as their page has it, and what differs from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "diagnostics.md"
_FIELD = re.compile(r"^\| `([^`]+)` \| ([a-z]+)( or null)? \|.*\|$", re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

Shape = Mapping[str, tuple[str, bool]]

KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "time": lambda value: isinstance(value, str) and bool(_TIME.fullmatch(value)),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
}


def shape_of(document: str) -> Shape:
    """Return each documented path of `status` or `diagnostics`, its type and whether it is null."""
    text = PAGE.read_text(encoding="utf-8")
    fields: dict[str, tuple[str, bool]] = {}
    for title, part in _sections(text):
        if title in ("Fields of both", f"Fields of {document} alone"):
            for path, kind, or_null in _FIELD.findall(part):
                assert kind in KINDS, f"{path} is a {kind}"
                fields[path] = (kind, bool(or_null))
    return fields


def faults(document: Any, shape: Shape) -> list[str]:
    """Return what is undocumented, missing, or of another type than documented."""
    return sorted(set(_faults(document, "", shape)))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each section of the second level, with those below it."""
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    for part in parts:
        title, _, body = part.partition("\n")
        yield title, body


def _faults(value: Any, path: str, shape: Shape) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _object_faults(value, path, shape)
    elif isinstance(value, list):
        for one in value:
            yield from _value_faults(one, f"{path}[]", shape)


def _object_faults(value: Mapping[str, Any], path: str, shape: Shape) -> Iterator[str]:
    children = _children(path, shape)
    free = next((name for name in children if name.startswith("<")), None)
    for name, one in value.items():
        known = name if name in children else free
        if known is None:
            yield f"{_join(path, name)} is not documented"
        else:
            yield from _value_faults(one, _join(path, known), shape)
    for name in children:
        if not name.startswith("<") and name not in value:
            yield f"{_join(path, name)} is missing"


def _value_faults(value: Any, path: str, shape: Shape) -> Iterator[str]:
    if path not in shape:
        yield f"{path} is not documented"
        return
    kind, is_nullable = shape[path]
    if value is None and is_nullable:
        return
    if not KINDS[kind](value):
        yield f"{path} is {value!r}, not {kind}"
        return
    yield from _faults(value, path, shape)


def _children(path: str, shape: Shape) -> list[str]:
    start = f"{path}." if path else ""
    below = (known[len(start) :] for known in shape if known.startswith(start))
    return [name for name in below if "." not in name and not name.endswith("[]")]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
