"""The page of runbooks that the console links to is the documentation's."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from offloader.service import blame
from tests.docs.runbook_page import PAGE, runbook_page


class Anchors(HTMLParser):
    """What a page names, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        if tag == "a":
            self.links.add(values["href"] or "")


def test_the_page_is_what_the_documentation_says() -> None:
    """`python -m tests.docs.runbook_page` mends it."""
    assert PAGE.read_text(encoding="utf-8") == runbook_page()


def test_every_link_leads_somewhere_on_the_admin_port() -> None:
    """A link is the console, or a heading of the page."""
    found = Anchors()
    found.feed(runbook_page())
    assert {link for link in found.links if link.lstrip("#") not in found.ids} == {"./"}


def test_every_runbook_that_a_code_leads_to_is_on_the_page() -> None:
    """Whoever follows the link of a problem arrives at its heading."""
    found = Anchors()
    found.feed(runbook_page())
    source = (PAGE.parents[2] / "service" / "blame.py").read_text(encoding="utf-8")
    headings = set(re.findall(r'Blame\("[a-z]+", "([^"]+)"\)', source))
    links = {blame.Blame("none", heading).link.partition("#")[2] for heading in headings}
    assert links
    assert links <= found.ids
