"""The examples of the page are run as they are, against the service, and answer what they say."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.model import Catalog
from offloader.service.apidocs.guide import DEFAULT_URL, guide
from tests.apidocs.documented import ROWS, TOKEN, Documented

NAMES = ("picked", "rows", "totals", "whole")
FOUND = {"picked": 0, "rows": 6, "totals": 4, "whole": 1}  # no account is called `example`
RUNNERS = {"curl": "bash", "TypeScript": "node", "Python": sys.executable}
SUFFIXES = {"curl": "sh", "TypeScript": "mjs", "Python": "py"}
_TYPE_BLOCK = re.compile(r"^type \w+ = \{.*?\};$\n?", re.MULTILINE | re.DOTALL)
_ANNOTATION = re.compile(r": (?:Record<string, string>|\{[^}]*: unknown \}|string)(?=[,) ])")


@pytest.fixture
def page(documented: Documented) -> Any:
    """The page as JSON."""
    return documented.service.ask_admin("/docs", {"Accept": "application/json"}).document


@pytest.mark.parametrize("language", RUNNERS)
@pytest.mark.parametrize("name", NAMES)
def test_first_requests_answer(
    documented: Documented, page: Any, tmp_path: Path, name: str, language: str
) -> None:
    """Each endpoint's example prints the rows that the endpoint has for it."""
    (endpoint,) = (one for one in page["endpoints"] if one["name"] == name)
    printed = _run(documented, language, endpoint["examples"][language], tmp_path)
    assert len(_rows(language, printed)) == FOUND[name]


@pytest.mark.parametrize("language", RUNNERS)
def test_asking_again_is_answered_without_a_body(
    documented: Documented, page: Any, tmp_path: Path, language: str
) -> None:
    """The second of two requests is a 304."""
    text = _task(page, "again", language)
    printed = _run(documented, language, text, tmp_path)
    if language == "curl":
        printed += _run(documented, language, text, tmp_path)
        assert printed.split() == ["200", "304"]
        kept = json.loads((tmp_path / "answer.json").read_text())
        assert kept["meta"]["endpoint"] == "picked"
    else:
        assert [line.split(":")[0] for line in printed.splitlines()] == ["new", "unchanged"]


@pytest.mark.parametrize("language", RUNNERS)
def test_pages_are_read_to_the_end(
    documented: Documented, page: Any, tmp_path: Path, language: str
) -> None:
    """All rows of an endpoint with more than a page of them, in order."""
    text = _task(page, "pages", language)
    text = re.sub(r"/picked\b", "/rows", text).replace("account=example&limit=3", "limit=3")
    text = text.replace('{"account": "example", "limit": "3"}', '{"limit": "3"}')
    printed = _run(documented, language, text, tmp_path)
    assert [row["calls"] for row in _rows(language, printed)] == list(range(ROWS))


@pytest.mark.parametrize("language", RUNNERS)
def test_refusals_are_told(
    documented: Documented, page: Any, tmp_path: Path, language: str
) -> None:
    """What is right is answered; code and message of what is refused are shown, and it fails."""
    text = _task(page, "errors", language)
    assert "0" in _run(documented, language, text, tmp_path)
    refused = _start(documented, language, text.replace("limit=3", "limit=900"), tmp_path)
    assert refused.returncode != 0
    assert "out_of_range" in refused.stdout + refused.stderr
    assert "limit must be from 1 to 3" in refused.stdout + refused.stderr


def test_no_example_holds_a_key(page: Any) -> None:
    """A key comes from the environment only."""
    for _, text in _texts(page):
        assert "API_KEY" in text
        assert TOKEN not in text


def test_public_examples_send_no_key(catalog: Catalog) -> None:
    """Without keys nothing speaks of one."""
    shown = json.loads(json.dumps(guide(replace(catalog, auth_required=False), DEFAULT_URL)))
    assert shown["authentication"] == "none"
    assert 401 not in {error["status"] for error in shown["errors"]}
    for _, text in _texts(shown):
        assert "API_KEY" not in text
        assert "@" not in text


def _texts(page: Any) -> Iterator[tuple[str, str]]:
    for one in (*page["endpoints"], *page["tasks"]):
        yield from one["examples"].items()


def _task(page: Any, name: str, language: str) -> str:
    (task,) = (one for one in page["tasks"] if one["name"] == name)
    return str(task["examples"][language])


def _run(documented: Documented, language: str, text: str, folder: Path) -> str:
    done = _start(documented, language, text, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _start(
    documented: Documented, language: str, text: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run an example with the service's address and key; TypeScript without its types."""
    program = shutil.which(RUNNERS[language])
    if program is None or (language == "curl" and not shutil.which("curl")):
        pytest.skip(f"{RUNNERS[language]} or curl is not installed")
    assert DEFAULT_URL in text
    text = text.replace(DEFAULT_URL, documented.service.api_url)
    if language == "TypeScript":
        text = _ANNOTATION.sub("", _TYPE_BLOCK.sub("", text)).replace(" as Answer", "")
    script = folder / f"example.{SUFFIXES[language]}"
    script.write_text(text, encoding="utf-8")
    return subprocess.run(
        [program, str(script)],
        cwd=folder,
        env={**os.environ, "API_KEY": TOKEN},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _rows(language: str, printed: str) -> list[dict[str, Any]]:
    """Read the rows that an example printed."""
    if language == "Python":
        return [ast.literal_eval(line) for line in printed.splitlines()]
    found: list[dict[str, Any]] = []
    for line in printed.splitlines():
        document = json.loads(line)
        if isinstance(document, list):
            found += document
        elif "data" in document:
            found += document["data"]
        else:
            found.append(document)
    return found
