"""What the console says a code means is what the documentation says."""

from __future__ import annotations

import re

from offloader.service.blame import VERDICT_CODES
from offloader.service.worker.console.meanings import ERROR_MEANINGS, VERDICT_MEANINGS
from tests.docs.markdown import ROOT

_ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|;]+?)(?:;[^|]*)? \|", re.MULTILINE)


def meanings(page: str) -> set[tuple[str, str]]:
    """Return every code of a page's tables, each with its words up to a semicolon."""
    return set(_ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def test_the_words_of_the_verdict() -> None:
    """Every code that only the verdict has, and no other."""
    assert set(VERDICT_MEANINGS) == set(VERDICT_CODES)
    assert set(VERDICT_MEANINGS.items()) <= meanings("operations/diagnostics.md")


def test_the_words_of_errors() -> None:
    """Some of them, as the reference has them."""
    assert set(ERROR_MEANINGS.items()) <= meanings("errors.md")
