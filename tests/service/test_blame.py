"""Every code that can reach an operator belongs to somebody, and has a runbook that there is."""

from __future__ import annotations

import re

import pytest

from offloader.service.blame import VERDICT_CODES, Of, blame_of, is_known
from tests.docs.markdown import ROOT

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \|", re.MULTILINE)
# What callers of the API get is no operator's.
_OF_CALLERS = {"Requests", "Parameters of a request"}
_MEANT: dict[str, tuple[Of, ...]] = {
    "Environment": ("start", "config"),
    "Files of a project": ("config", "start"),
    "YAML": ("config", "start"),
    "Fields": ("config", "start"),
    "Project": ("config", "start"),
    "Datasets": ("config", "start"),
    "Endpoints": ("config", "start"),
    "Keys": ("config", "start"),
    "Start": ("start",),
    "Manifest": ("snapshot",),
    "Databricks folders": ("snapshot",),
    "Schema against contract": ("snapshot",),
    "Data files": ("snapshot",),
    "Object stores": ("snapshot", "config"),
    "Guards": ("snapshot",),
    "Building and swapping": ("snapshot",),
    "Actions of an operator": ("action",),
    "Commands": ("command",),
}


def _sections() -> dict[str, list[str]]:
    _, *parts = _SECTION.split((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    return {title: _ROW.findall(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_section_of_the_errors_is_somebodys() -> None:
    """A new section must say who gets to see its codes."""
    assert set(_sections()) == _OF_CALLERS | _MEANT.keys()


@pytest.mark.parametrize("title", _MEANT)
def test_every_code_has_an_area_and_a_runbook(title: str) -> None:
    """No code of the documentation is left to the default."""
    codes = _sections()[title]
    assert codes != []
    found = [(of, code) for of in _MEANT[title] for code in codes if not is_known(code, of)]
    assert found == []


def _headings() -> set[str]:
    text = (ROOT / "docs" / "operations" / "runbooks.md").read_text(encoding="utf-8")
    return set(_SECTION.findall(text))


def test_every_runbook_there_is_named() -> None:
    """A link leads to a heading of the page."""
    meant = [(of, code) for title, of_all in _MEANT.items() for of in of_all
             for code in _sections()[title]]  # fmt: skip
    meant += [("verdict", code) for code in VERDICT_CODES] + [("snapshot", "no_such_code")]
    blames = {blame_of(code, of) for of, code in meant}
    assert {blame.runbook for blame in blames} - _headings() == set()
    assert blame_of("manifest_missing").link == "docs/operations/runbooks.md#source-unreachable"


@pytest.mark.parametrize(
    ("code", "of", "area", "runbook"),
    [
        ("quality_failed", "snapshot", "upstream", "Bad manifest"),
        ("dataset_differs", "snapshot", "config", "Bad manifest"),
        ("store_denied", "snapshot", "environment", "Source unreachable"),
        ("store_denied", "config", "environment", "Config bucket unreachable"),
        ("file_missing", "snapshot", "upstream", "Bad manifest"),
        ("file_missing", "config", "config", "Config bucket unreachable"),
        ("file_missing", "start", "config", "Does not start"),
        ("disk_full", "snapshot", "environment", "Disk full"),
        ("builder_killed", "snapshot", "environment", "Memory full"),
        ("internal", "snapshot", "service", "Rollback to previous image"),
        ("stale", "verdict", "upstream", "Stale"),
        ("never_heard_of", "snapshot", "service", "First look"),
    ],
)
def test_the_same_code_may_be_another_s_elsewhere(
    code: str, of: Of, area: str, runbook: str
) -> None:
    """What is missing is the data team's in a snapshot, the service owner's in the config."""
    blame = blame_of(code, of)
    assert (blame.area, blame.runbook) == (area, runbook)


def test_every_code_of_a_runbook_leads_there() -> None:
    """A code that one runbook alone names in its tables has that runbook."""
    text = (ROOT / "docs" / "operations" / "runbooks.md").read_text(encoding="utf-8")
    _, *parts = _SECTION.split(text)
    named: dict[str, set[str]] = {}
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        for row in re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", body, re.MULTILINE):
            for code in re.findall(r"`([a-z_]+)`", row):
                named.setdefault(code, set()).add(title)
    wrong = {}
    for code, titles in named.items():
        for of in ("snapshot", "config", "start"):
            if is_known(code, of):
                break
        else:
            continue
        meant = {blame_of(code, of).runbook for of in ("snapshot", "config", "start")}
        if not titles & meant:
            wrong[code] = titles
    assert wrong == {}


def test_the_page_of_diagnostics_has_every_code_of_the_verdict() -> None:
    """And no other."""
    text = (ROOT / "docs" / "operations" / "diagnostics.md").read_text(encoding="utf-8")
    part = text.partition("or one of these:")[2].partition("## ")[0]
    assert _ROW.findall(part) == list(VERDICT_CODES)
