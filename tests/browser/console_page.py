"""The console as an operator uses it: unlock it, open a dataset, ask for an action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_core_python
from playwright.sync_api import Page, expect

from tests.web.admin_app import TOKEN

# Both clicks at once: what was asked before is not shown any more, and nothing is asked after it.
_REFRESH = """() => new Promise(done => {
    const pause = document.getElementById("pause");
    new MutationObserver(() => done()).observe(document.getElementById("told"), {childList: true});
    pause.click();
    pause.click();
})"""
AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def unlock(page: Page, token: str = TOKEN) -> None:
    """Give the admin token, with the keyboard."""
    page.get_by_label("Admin token").fill(token)
    page.keyboard.press("Enter")


def open_details(page: Page, dataset: str) -> None:
    """Show a dataset's details and actions."""
    page.get_by_role("button", name=f"Details of {dataset}").click()
    expect(page.locator(f"#more-{dataset}")).to_be_visible()


def ask_for(page: Page, dataset: str, label: str) -> None:
    """Open the dialog of an action."""
    offers = page.get_by_role("group", name=f"Actions on {dataset}")
    offers.get_by_role("button", name=f"{label}…", exact=True).click()
    expect(page.locator("#act")).to_be_visible()


def refresh(page: Page) -> None:
    """Have the page ask anew, and wait until it shows what it got; by itself it asks no more."""
    pause = page.locator("#pause")
    if pause.inner_text() == "Pause":
        pause.click()
    page.evaluate(_REFRESH)


def violations(page: Page) -> list[tuple[Any, ...]]:
    """Return what axe-core finds on the page: rule, impact, places."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [(one["id"], one["impact"], [n["target"] for n in one["nodes"]]) for one in found]
