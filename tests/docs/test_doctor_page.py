"""docs/operations/doctor.md names every check and every file of a bundle."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "operations" / "doctor.md").read_text(encoding="utf-8")
_MADE = re.compile(r'Check\("(?:us|environment|upstream)", (?:"([a-z ]+)"|CHECK)')
_FILE = re.compile(r'(?:Entry|entry_of)\(\s*f?"([a-z]+[/.])')


def _package(*folders: str) -> str:
    paths = (path for folder in folders for path in (ROOT / "offloader").glob(folder))
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_check_is_in_the_table() -> None:
    """A check that is made is a row, alone or beside others of its kind."""
    made = set(_MADE.findall(_package("service/doctor/*.py", "cli/examination.py"))) - {""}
    cells = re.findall(r"^\| (?:us|environment|upstream) \| ([^|]+) \|", PAGE, re.MULTILINE)
    listed = {name for cell in cells for name in cell.split(", ")}
    assert len(made) > 8
    assert made <= listed
    assert listed <= made | {"source", "segment store", "dataset", "packages", "kernel"}


def test_every_file_of_a_bundle_is_in_the_table() -> None:
    """By its name, or by the folder that it lies in."""
    made = set(_FILE.findall(_package("service/bundle/*.py", "cli/bundled.py")))
    assert len(made) > 5
    assert {name for name in made if f"`{name}" not in PAGE} == set()
