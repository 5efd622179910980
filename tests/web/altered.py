"""A service with one thing altered, which the environment cannot alter."""

from __future__ import annotations

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


def alter(monkeypatch: pytest.MonkeyPatch, folder: Path, statements: str) -> None:
    """Have `running` start a service in whose processes the statements were executed first.

    In a worker the variable SANIC_WORKER_NAME is set, in main it is not.
    """
    path = folder / "offloader"
    path.write_text(_SCRIPT.format(python=sys.executable, statements=statements), encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(service_process, "OFFLOADER", str(path))
