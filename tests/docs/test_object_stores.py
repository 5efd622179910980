"""docs/object-stores.md: its table of faults is the one that the tests of stores go through."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT
from tests.stores.fault_rows import ROWS, Row

_TABLE = re.compile(
    r"^\| fault \| what comes of it \| code while it lasts \|\n.*\n((?:\|.*\n)+)", re.M
)


def test_the_table_of_faults_is_what_is_tested() -> None:
    """Each fault stands there with what comes of it and how it ends, and no other does."""
    found = _TABLE.search((ROOT / "docs" / "object-stores.md").read_text(encoding="utf-8"))
    assert found
    assert found[1].splitlines() == [_line(row) for row in ROWS]


def _line(row: Row) -> str:
    codes = ", ".join(f"`{code}`" for code in dict.fromkeys(row.codes.values()))
    return f"| {row.name} | {row.behaviour} | {codes or 'none'} |"
