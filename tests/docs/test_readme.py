"""The README's commands, run as they stand: serve, ask, ask again, stop."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

from tests.docs.markdown import ROOT, answered_requests, blocks, curl_request
from tests.docs.running import STOP_SECONDS, Running, ask, is_open, make_run

README = ROOT / "README.md"


def test_the_readme_runs(tmp_path: Path) -> None:
    """`make run` serves; the curl it prints and the README's answer as shown; Ctrl-C stops it."""
    with make_run(tmp_path) as running:
        _check_printed_requests(running)
        _check_shown_answer(running)
        _check_metrics(running)
        seconds = running.interrupt()
        assert seconds < STOP_SECONDS
        assert not is_open(running.api_port)
        assert not is_open(running.admin_port)
        assert "Traceback" not in running.output


def test_the_second_example_runs(tmp_path: Path) -> None:
    """`make run EXAMPLE=flights` serves, and anybody may ask."""
    with make_run(tmp_path, "EXAMPLE=flights") as running:
        _check_printed_requests(running)
        assert running.interrupt() < STOP_SECONDS


def test_the_readme_names_the_two_commands() -> None:
    """A reader finds `make run` and `make test`, each as a block of its own."""
    shell = [block.text.strip() for block in blocks(README) if block.language == "sh"]
    assert [text for text in shell if text.startswith("make ")] == ["make run", "make test"]


def _check_printed_requests(running: Running) -> None:
    """The curl lines that were printed answer 200 as they are, without a port replaced."""
    lines = [line.strip() for line in running.output.splitlines()]
    printed = [curl_request(line) for line in lines if line.startswith("curl ")]
    assert len(printed) == 2
    for request in printed:
        assert ask(request.url, request.headers).status == 200


def _check_shown_answer(running: Running) -> None:
    """The README's request gives the README's answer, and 304 when it is asked again."""
    ((request, text),) = answered_requests(README)
    url = running.here(request.url)
    first = ask(url, request.headers)
    assert first.document() == json.loads(text, parse_float=Decimal)
    again = ask(url, {**request.headers, "If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def _check_metrics(running: Running) -> None:
    """The metrics of docs/api.md are the ones that are exposed, in the same words."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(offloader_\w+)` \| [\w, ]*\| (.+) \|$", page, re.MULTILINE)
    exposed = ask(running.here("http://127.0.0.1:4001/metrics")).body.decode()
    here = [row for row in listed if not row[0].startswith("offloader_segment_store")]
    assert here == re.findall(r"^# HELP (\w+) (.+)$", exposed, re.MULTILINE)
