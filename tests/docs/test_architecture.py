"""docs/architecture.md is the house as it stands."""

from __future__ import annotations

from tests.docs.markdown import ROOT
from tests.docs.module_map import MARK, PAGE, layers, module_map


def test_the_list_of_modules_is_what_is_there() -> None:
    """Every module is listed with its first line; `python -m tests.docs.module_map` mends it."""
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == module_map()


def test_every_folder_of_the_package_is_a_layer() -> None:
    """No module stands outside the layers that import-linter checks."""
    package = ROOT / "offloader"
    found = {path.parent.name for path in package.glob("*/__init__.py")}
    found |= {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert found == set(layers())
