"""The page of logs lists every event that there is, its level and its fields."""

from __future__ import annotations

import re

from tests.docs.logged_events import LIBRARY, logged_events
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "operations" / "logs.md"
# Every line has them, or any may.
_OF_EVERY_LINE = {"time", "level", "event", "process", "repeated"}


def rows(heading: str, columns: int) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    _, _, below = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    table = re.search(r"^\| --- .*\n((?:\|.*\n)+)", below, re.MULTILINE)
    assert table is not None
    found = [line.strip("| ").split(" | ", columns - 1) for line in table[1].splitlines()]
    assert all(len(cells) == columns for cells in found), heading
    return found


def names(cell: str) -> list[str]:
    """Return what stands in code quotes."""
    return re.findall(r"`([^`]+)`", cell)


def test_every_event_is_listed_with_its_level_and_fields() -> None:
    """By name; the fields are those that the code writes, in any place that writes the event."""
    expected = {name: (one.level, one.fields) for name, one in logged_events().items()}
    expected[LIBRARY[0]] = ("any", set(LIBRARY[1]))
    listed = rows("Events", 4)
    assert [names(name)[0] for name, *_ in listed] == sorted(expected)
    for name, level, fields, _ in listed:
        assert (level, set(names(fields))) == expected[names(name)[0]], name


def test_every_field_is_explained() -> None:
    """Once, by name; and nothing is explained that no event has."""
    explained = [name for cell, _ in rows("Fields", 2) for name in names(cell)]
    written = {name for one in logged_events().values() for name in one.fields}
    assert len(explained) == len(set(explained))
    assert set(explained) == written | set(LIBRARY[1]) | {"repeated"}


def test_no_event_writes_over_what_every_line_has() -> None:
    """Time, level, event, process and count are the line's own."""
    for name, one in logged_events().items():
        assert not one.fields & _OF_EVERY_LINE, name


def test_an_event_that_says_what_failed_says_what_to_do() -> None:
    """Whoever is told a code is told a hint, but for what callers did and what stores said."""
    without = {n for n, one in logged_events().items() if "code" in one.fields} - {
        n for n, one in logged_events().items() if "hint" in one.fields
    }
    assert without == {"audit", "request", "scan_failed"}
