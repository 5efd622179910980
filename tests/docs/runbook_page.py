"""The runbooks as the page `/runbooks` of the admin port, made from the documentation.

`python -m tests.docs.runbook_page` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.markdown import ROOT

SOURCE = ROOT / "docs" / "operations" / "runbooks.md"
PAGE = ROOT / "offloader" / "web" / "console" / "runbooks.html"
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Runbooks · Offloader</title>
<link rel="icon" href="console.svg" type="image/svg+xml">
<link rel="stylesheet" href="console.css">
</head>
<body>
<header class="top"><nav aria-label="Other pages"><a href="./">Console</a></nav></header>
<main class="runbooks">
"""
_TAIL = "</main>\n</body>\n</html>\n"


def runbook_page() -> str:
    """Return the page as HTML; links to other files of the documentation become plain text."""
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(SOURCE.read_text(encoding="utf-8"))
    _name_headings(tokens)
    for token in tokens:
        if token.children:
            token.children = _without_far_links(token.children)
    body: str = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table>", '<div class="scroll" tabindex="0"><table class="plain">')
    body = body.replace("</table>", "</table></div>").replace("<th>", '<th scope="col">')
    return _HEAD + body.replace("<pre>", '<pre tabindex="0">') + _TAIL


def _name_headings(tokens: Sequence[Token]) -> None:
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            slug = re.sub(r"[^a-z0-9 -]", "", inside.content.lower()).replace(" ", "-")
            opening.attrSet("id", slug)


def _without_far_links(tokens: Sequence[Token]) -> list[Token]:
    kept, is_far = [], False
    for token in tokens:
        if token.type == "link_open":
            is_far = not str(token.attrGet("href")).startswith("#")
        if not (is_far and token.type in ("link_open", "link_close")):
            kept.append(token)
        is_far = is_far and token.type != "link_close"
    return kept


if __name__ == "__main__":
    PAGE.write_text(runbook_page(), encoding="utf-8")
