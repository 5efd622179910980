"""The commands that the documentation names exist and are explained."""

from __future__ import annotations

import re
import subprocess

from tests.docs.markdown import ROOT, blocks, curl_lines, pages

_TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
_MADE = re.compile(r"\bmake ([a-z][a-z0-9-]*)\b")


def test_help_lists_every_target() -> None:
    """`make help`, and `make` alone, name each target of the Makefile once."""
    targets = _TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8"))
    shown = [line.split()[1] for line in _make().splitlines()]
    assert shown == targets
    assert _make("help") == _make()


def test_shown_make_commands_exist() -> None:
    """Every `make <target>` in a shell block or in code marks is a target."""
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    shown = set()
    for page in pages():
        spans = re.findall(r"`(make [^`]+)`", page.read_text(encoding="utf-8"))
        shell = [block.text for block in blocks(page) if block.language == "sh"]
        shown |= {name for text in (*spans, *shell) for name in _MADE.findall(text)}
    assert shown - targets == set()
    assert {"run", "test", "check"} <= shown


def test_development_explains_every_target() -> None:
    """docs/development.md has a line for each target but help."""
    targets = _TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `make ([a-z0-9-]+)` \|", text, re.MULTILINE) == targets[1:]


def test_run_names_a_request_to_the_chosen_port() -> None:
    """`make run` prints the first request of the example's page, at the port it serves."""
    for example in ("customer-analytics", "flights"):
        recipe = _make("-n", "run", f"EXAMPLE={example}", "API_PORT=4321")
        script = re.search(r"^sed -n .*?README\.md$", recipe, re.MULTILINE | re.DOTALL)
        assert script
        printed = subprocess.run(
            script[0], shell=True, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        first = curl_lines(ROOT / "dev" / "examples" / example / "README.md")[0]
        assert printed[0].strip() == first.replace("127.0.0.1:4000", "127.0.0.1:4321")


def test_an_unknown_example_is_refused_by_name() -> None:
    """A mistyped EXAMPLE lists the ones there are."""
    done = subprocess.run(
        ["make", "run", "EXAMPLE=flight"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "EXAMPLE is one of: customer-analytics flights" in done.stderr


def _make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
