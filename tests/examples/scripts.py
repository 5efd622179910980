"""Import a script of an example: its folder is no package."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from tests.examples.answers import EXAMPLES


def load_script(example: str, name: str) -> ModuleType:
    """Return the script `name`.py of an example as a module."""
    path = EXAMPLES / example / f"{name}.py"
    spec = spec_from_file_location(f"example_{name}", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module
