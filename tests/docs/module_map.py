"""The list of modules in docs/architecture.md, made from the modules' own first lines.

`python -m tests.docs.module_map` writes it anew.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "architecture.md"
MARK = "<!-- modules -->\n"


def module_map() -> str:
    """Return the list as Markdown: one table a layer, in the order of the layers."""
    return "\n".join(_table(layer) for layer in layers())


def layers() -> list[str]:
    """Return the layers of the import contract, top first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    names = [name for line in contract["layers"] for name in line.split(" | ")]
    return [name.removeprefix("offloader.") for name in names]


def _table(layer: str) -> str:
    folder, single = ROOT / "offloader" / layer, ROOT / "offloader" / f"{layer}.py"
    paths = [single] if single.exists() else sorted(folder.rglob("*.py"))
    rows = "".join(_row(path) for path in paths if path != folder / "__init__.py")
    return f"\n### {layer}\n\n| module | |\n| --- | --- |\n{rows}"


def _row(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    name = path.relative_to(ROOT / "offloader").as_posix().removesuffix("__init__.py")
    return f"| `{name}` | {docstring.partition(chr(10))[0].replace('|', chr(92) + '|')} |\n"


if __name__ == "__main__":
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(head + MARK + module_map(), encoding="utf-8")
