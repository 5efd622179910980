"""A service with one thing altered, which the environment cannot alter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests import service_process

_SCRIPT = """#!{python}
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before anything is imported: its threads take signals

{statements}

from offloader.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""
# Children import no main script; each Python imports this by its name before anything else.
_CHILD = """import os

if "SANIC_WORKER_NAME" in os.environ:
    with open({statements!r}) as file:
        exec(compile(file.read(), {statements!r}, "exec"))
"""


def alter(monkeypatch: pytest.MonkeyPatch, folder: Path, statements: str) -> None:
    """Have `running` start a service in whose processes the statements were executed first.

    In a child of the worker manager the variable SANIC_WORKER_NAME is set, in main it is not.
    """
    path = folder / "offloader"
    path.write_text(_SCRIPT.format(python=sys.executable, statements=statements), encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(service_process, "OFFLOADER", str(path))
    altered = folder / "altered"
    altered.mkdir()
    (altered / "statements").write_text(f"import os\nimport sys\n{statements}", encoding="utf-8")
    customized = _CHILD.format(statements=str(altered / "statements"))
    (altered / "sitecustomize.py").write_text(customized, encoding="utf-8")
    outer = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{altered}:{outer}" if outer else str(altered))
