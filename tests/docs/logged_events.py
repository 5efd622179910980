"""The events that the package logs, read out of its code: name, level and fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.markdown import ROOT

# How an event is written: its level, and the fields that each has.
_WAYS = {
    "event": ("info", ()),
    "starting": ("info", ()),
    "warning": ("warning", ()),
    "failed": ("warning", ("code", "message", "hint")),
    "error": ("error", ()),
    "broke": ("error", ("traceback",)),
    "request_broke": ("error", ("traceback",)),
}
_NAMED_BY_WAY = {"starting", "request_broke"}
# Fields that a function returns; those of `_write_repeated` every line may have.
_RETURNED = {
    "trace_fields(": ("trace_id", "span_id"),
    "_shown(error)": ("code", "message", "hint"),
    "repeated": (),
}
# Written by the output itself, about what other libraries say, at the level they say it.
LIBRARY = ("library", ("logger", "message", "traceback"))


@dataclass(slots=True)
class Logged:
    """One event; the fields are those of any place that writes it."""

    level: str
    fields: set[str] = field(default_factory=set)


def logged_events() -> dict[str, Logged]:
    """Return every event by name; fail on one whose name or fields cannot be read."""
    found: dict[str, Logged] = {}
    for path in sorted((ROOT / "offloader").rglob("*.py")):
        for call, function in _calls(path):
            way = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
            level, fields = _WAYS[way]
            name = way if way in _NAMED_BY_WAY else _name_of(call, path)
            one = found.setdefault(name, Logged(level))
            assert one.level == level, (path, name)
            one.fields.update(fields, *_fields_of(call, function, path))
    return found


def _calls(path: Path) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Yield each call that logs, with the function it stands in."""
    is_log = path == ROOT / "offloader" / "service" / "log.py"
    wanted = r"broke" if is_log else r"log\.(\w+)"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    matched = re.fullmatch(wanted, ast.unparse(node.func))
                    if matched and ast.unparse(node.func).rpartition(".")[2] in _WAYS:
                        yield node, function


def _name_of(call: ast.Call, path: Path) -> str:
    assert call.args, (path, ast.unparse(call))
    name = call.args[0]
    assert isinstance(name, ast.Constant), (path, ast.unparse(call))
    return str(name.value)


def _fields_of(call: ast.Call, function: ast.AST, path: Path) -> Iterator[set[str]]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield {keyword.arg}
            continue
        text = ast.unparse(keyword.value)
        returned = [names for start, names in _RETURNED.items() if text.startswith(start)]
        yield set(returned[0]) if returned else _keys_of(text, function, path)


def _keys_of(name: str, function: ast.AST, path: Path) -> set[str]:
    """Return the keys of a local mapping that is written out in a function."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        if ast.unparse(target) == name:
            assert isinstance(node.value, ast.Dict), (path, name)
            return {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError(f"{path}: what are the fields **{name}?")
