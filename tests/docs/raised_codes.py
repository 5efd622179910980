"""Find the error codes that the package's source names where errors are made."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "offloader"
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Where each maker of errors takes the code, by position.
_POSITIONS = {
    "Attempt": 3,
    "__init__": 0,
    "fail": 0,
    "warn": 0,
    "Problem": 2,
    "Refusal": 0,
    "RequestError": 2,
    "Result": 2,
    "_refuse": 2,
    "invalid_param": 0,
    "problem": 1,
}


def raised_codes() -> dict[str, str]:
    """Return each code that is written out where an error is made, and a place where it is."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    positions = dict.fromkeys(_error_classes(trees.values()), 0) | _POSITIONS
    found: dict[str, str] = {}
    for path, tree in sorted(trees.items()):
        for code, line in _codes(tree, positions):
            found.setdefault(code, f"{path.relative_to(PACKAGE.parent)}:{line}")
    return found


def _error_classes(trees: Collection[ast.AST]) -> set[str]:
    """Return the names of all classes below OffloaderError."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"OffloaderError"}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return known


def _codes(tree: ast.AST, positions: dict[str, int]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            candidates = _code_arguments(node, positions)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
            candidates = [node.value]
        elif isinstance(node, ast.Dict):  # main's answer to the reloader
            pairs = zip(node.keys, node.values, strict=True)
            candidates = [value for key, value in pairs if key and ast.unparse(key) == "'refused'"]
        else:
            continue
        for candidate in candidates:
            yield from ((text, node.lineno) for text in _texts(candidate))


def _code_arguments(call: ast.Call, positions: dict[str, int]) -> list[ast.expr]:
    """Return what stands for the code in a call that makes an error; nothing in other calls."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name not in positions:
        return []
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    return [*call.args[positions[name] : positions[name] + 1], *named]


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and _CODE.fullmatch(str(node.value)):
        yield str(node.value)
