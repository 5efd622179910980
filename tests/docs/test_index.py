"""docs/README.md leads to every page, once, and says what each is for."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.markdown import ROOT, links, pages

INDEX = ROOT / "docs" / "README.md"
_ROW = re.compile(r"^\| \[([^\]]+)\]\(([^)]+)\) \| (.+) \|$", re.MULTILINE)


def test_every_page_is_there_once() -> None:
    """Each page below docs/ has one row with its purpose; nothing else has."""
    rows = _ROW.findall(INDEX.read_text(encoding="utf-8"))
    found = [path for path in (ROOT / "docs").rglob("*.md") if path != INDEX]
    assert sorted(INDEX.parent / target for _, target, _ in rows) == sorted(found)
    assert sorted(links(INDEX)) == sorted(target for _, target, _ in rows)
    assert [title for title, _, purpose in rows if not 5 < len(purpose) < 100] == []


def test_the_front_page_leads_there() -> None:
    """Who begins at the README finds the index, and what it links is in it or beside it."""
    assert "docs/README.md" in links(ROOT / "README.md")


def test_every_page_is_a_way_to_others() -> None:
    """No page of docs/ or infra/ is a dead end, and each is linked from another one."""
    here = [page for page in pages() if page.relative_to(ROOT).parts[0] in ("docs", "infra")]
    targets = {_target(page, link) for page in pages() for link in links(page)}
    assert [page for page in here if page not in targets and page != INDEX] == []


def _target(page: Path, link: str) -> Path:
    """Return the file that a relative link leads to."""
    name = link.partition("#")[0]
    return (page.parent / name).resolve() if name and "://" not in name else page
