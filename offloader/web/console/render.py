"""From the console's page to HTML: whole, or section by section for a page that is open already."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from offloader.service.worker.console.view import Page
from offloader.web.pages import templates

PACKAGE = "offloader.web.console"
SECTIONS = ("verdict", "problems", "datasets", "endpoints", "machine", "changes", "config")


def page_html(page: Page) -> str:
    """Return the whole page."""
    return _render("page", _values(page))


def sections_html(page: Page) -> dict[str, str]:
    """Return each section's inside, which the open page puts in the place of the one before."""
    values = _values(page)
    return {name: _render(name, values) for name in SECTIONS}


def _render(name: str, values: dict[str, Any]) -> str:
    return templates(PACKAGE).get_template(f"{name}.html").render(values)


def _values(page: Page) -> dict[str, Any]:
    return {one.name: getattr(page, one.name) for one in fields(page)}
