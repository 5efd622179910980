"""`offloader openapi`, `docs` and `schema --project` make what the admin port shows, as files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from offloader.cli.main import main
from tests.docs.markdown import ROOT

PROJECT = str(ROOT / "dev" / "examples" / "customer-analytics")
ENDPOINTS = ["customer_top_accounts", "customer_usage_daily", "customer_usage_summary"]


def test_openapi_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same document both ways; the file's path is what is printed then."""
    assert main(["openapi", PROJECT]) == 0
    text = capsys.readouterr().out
    validate(json.loads(text))
    out = tmp_path / "made" / "openapi.json"
    assert main(["openapi", PROJECT, "--out", str(out)]) == 0
    assert (capsys.readouterr().out, out.read_text()) == (f"{out}\n", text)
    assert [path.name for path in out.parent.iterdir()] == ["openapi.json"]


def test_the_page_is_complete_in_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It carries its policy, names no other host, and links to nothing that is not there."""
    out = tmp_path / "docs.html"
    assert main(["docs", PROJECT, "--url", "https://api.example.com/", "--out", str(out)]) == 0
    page = out.read_text()
    assert 'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;' in page
    assert set(re.findall(r"https?://[^/'\"`<\s]+", page)) == {"https://api.example.com"}
    assert [link for link in re.findall(r'href="([^"]*)"', page) if link[0] != "#"] == ["data:,"]
    assert capsys.readouterr().out == f"{out}\n"


def test_the_page_is_json_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    """The content without the form."""
    assert main(["docs", PROJECT, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [endpoint["name"] for endpoint in document["endpoints"]] == ENDPOINTS


def test_schemas_of_endpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All by name, one, or as files, as with those of the project files."""
    assert main(["schema", "--project", PROJECT]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ENDPOINTS
    assert main(["schema", ENDPOINTS[1], "--project", PROJECT]) == 0
    assert json.loads(capsys.readouterr().out) == found[ENDPOINTS[1]]
    assert main(["schema", "--project", PROJECT, "--out", str(tmp_path)]) == 0
    paths = [tmp_path / f"{name}.schema.json" for name in ENDPOINTS]
    assert capsys.readouterr().out.split() == [str(path) for path in paths]
    assert [json.loads(path.read_text()) for path in paths] == list(found.values())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["openapi", "{}"], "project_missing"),
        (["docs", "{}"], "project_missing"),
        (["schema", "--project", "{}"], "project_missing"),
        (["schema", "endpoints"], "endpoints: there is no such schema (did you mean endpoint?)"),
        (["schema", "endpoint", "--project", PROJECT], "endpoint: there is no such schema"),
        (["openapi", PROJECT, "--out", "{}/file/x"], "cannot be written"),
        (["docs", PROJECT, "--out", "{}"], "cannot be written"),
    ],
)
def test_what_is_wrong_exits_2(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong project, an unknown name, a file that cannot be written: said on stderr alone."""
    (tmp_path / "file").touch()
    assert main([word.replace("{}", str(tmp_path)) for word in words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err


@pytest.mark.parametrize(
    "url", ["api.example.com", "javascript:alert(1)", "https://a'b", "https://a/?key=1", "https://"]
)
def test_addresses_that_would_break_examples_are_refused(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in the examples' quotes cannot end them."""
    with pytest.raises(SystemExit) as raised:
        main(["docs", PROJECT, "--url", url])
    assert raised.value.code == 2
    assert "--url" in capsys.readouterr().err
