"""docs/queries.md shows what `offloader explain` prints, and explains every line of it."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from offloader.cli.main import main
from offloader.segment import path_choice, path_ways, scan_warnings
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "queries.md"
TEXT = PAGE.read_text(encoding="utf-8")
_TIME = re.compile(r"in [0-9.]+ ms$", re.MULTILINE)


def shown_command() -> tuple[list[str], str]:
    """Return the words of the page's one explain command, and what it is shown to print."""
    ((command, output),) = (
        (block.text, following.text)
        for block, following in pairwise(blocks(PAGE))
        if block.text.startswith("offloader explain ")
    )
    return shlex.split(command)[1:], output


def test_the_example_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line by line, but for the time it took."""
    words, output = shown_command()
    monkeypatch.chdir(ROOT)
    assert main([*words, "--cache-dir", str(tmp_path)]) == 0
    assert _TIME.sub("in … ms", capsys.readouterr().out) == _TIME.sub("in … ms", output)


def test_every_line_and_every_field_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table has each label that is printed and each field of the object."""
    words, output = shown_command()
    section = TEXT.split("\n## Explain\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z ]+)` \| (`.+?`) \| .+ \|$", section, re.MULTILINE)
    labels = re.findall(r"^  ([a-z ]+?)  ", output, re.MULTILINE)
    assert [label for label, _ in rows] == [*labels, "help"]
    monkeypatch.chdir(ROOT)
    assert main([*words, "--cache-dir", str(tmp_path), "--json"]) == 0
    fields = json.loads(capsys.readouterr().out).keys()
    told = {name for _, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == fields - {"ok", "endpoint", "dataset", "snapshot_id", "row_count"}


def test_the_numbers_of_the_rule_are_the_codes() -> None:
    """Limits in prose follow the constants."""
    assert f"At most {path_ways.MAX_WAYS_PER_ENDPOINT} ways of an endpoint" in TEXT
    assert f"A path costs about {path_choice.ROW_BYTES} bytes a row" in TEXT
    free = f"up to {path_choice.MOST_PATHS} while\nthey take {path_choice.FREE_BYTES >> 20} MiB"
    assert f"{free} together, and {path_choice.LEAST_PATHS} whatever its size" in TEXT
    assert f"at most {scan_warnings.SMALL_ROWS:,}" in TEXT
