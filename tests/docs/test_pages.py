"""What a page of documentation shows is true: it parses, it links, it answers as shown."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import ROOT, blocks, curl_lines, curl_request, headings, links, pages
from tests.examples.answers import EXAMPLES

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
_ADDRESS = re.compile(r"https?://[A-Za-z0-9][^\s)\"'`>]*")
_SHOWN_HOSTS = ("http://127.0.0.1:", "https://semver.org", "https://github.com/machow/")
# Where releases come from, who signs them, and the project's own page.
_OUR_HOSTS = (
    "https://github.com/offloader/offloader",
    "https://github.com/actions/checkout",
    "https://github.com/sigstore/cosign",
    "https://token.actions.githubusercontent.com",
)
# The same as a regular expression, which says whose signature counts.
_PATTERNS = (r"https://github\.com/offloader/offloader/",)
_PLACEHOLDERS = ("https://host/", "https://user@")


@pytest.mark.parametrize("page", PAGES)
def test_shown_documents_parse(page: Path) -> None:
    """Every YAML and JSON block is well formed."""
    for block in blocks(page):
        if block.language == "yaml":
            yaml.safe_load(block.text)
        if block.language == "json":
            json.loads(block.text, parse_float=Decimal)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and a heading in it."""
    for link in links(page):
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


@pytest.mark.parametrize("page", PAGES)
def test_only_known_hosts_are_named(page: Path) -> None:
    """Pages name this machine's loopback address, and of other hosts only a few."""
    known = (*_SHOWN_HOSTS, *_OUR_HOSTS, *_PATTERNS, *_PLACEHOLDERS)
    found = _ADDRESS.findall(page.read_text(encoding="utf-8"))
    assert [address for address in found if not address.startswith(known)] == []


@pytest.mark.parametrize("page", PAGES)
def test_shown_requests_are_well_formed(page: Path) -> None:
    """Every curl line is one request to one of the two ports, quoted where the shell needs it."""
    for line in curl_lines(page):
        request = curl_request(line)
        assert request.url.startswith(("http://127.0.0.1:4000/", "http://127.0.0.1:4001/")), line
        assert ("&" in request.url or "?" in request.url) <= (f"'{request.url}'" in line), line


def test_every_example_has_a_page() -> None:
    """Each project under dev/examples says what it is."""
    folders = [path.parent for path in EXAMPLES.glob("*/offloader.yml")]
    assert [folder.name for folder in folders if not (folder / "README.md").exists()] == []
