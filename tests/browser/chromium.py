"""A real browser for tests: Chromium of the system, headless, on pages of this machine only."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PATH = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MS = 60_000.0
DESKTOP, PHONE = (1280, 900), (360, 780)


@dataclass(slots=True)
class Visit:
    """An open page, and what is wrong with it so far: console errors, requests elsewhere."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def look_closely(self) -> None:
        """Note every error, every warning and every request from now on."""
        self.page.on("console", lambda one: self._note(one.type, one.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda one: self._note_request(one.url))

    def picture(self, name: str, *, is_whole: bool = True) -> None:
        """Write what is seen to `build/screenshots/<name>.png`, the page whole or as it stands."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=is_whole)

    def is_too_wide(self) -> bool:
        """Tell whether the page has to be moved sideways to be read."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        self.requested.append(url)
        if urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked another host: {url}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; skip, and say why, where there is none."""
    if PATH is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    try:
        with sync_playwright() as tool:
            browser = tool.chromium.launch(executable_path=PATH, args=list(ARGUMENTS))
            try:
                yield browser
            finally:
                browser.close()
    finally:
        # What is left may print a traceback when it is collected; in the middle of a later
        # compile() that breaks it (Python 3.11).
        gc.collect()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Any = "light",
    has_scripts: bool = True,
) -> Iterator[Visit]:
    """Open a page as a new visitor; at the end nothing may have been wrong with it."""
    context = _context(browser, size, scheme, has_scripts=has_scripts)
    try:
        made = Visit(context.new_page(), url)
        made.look_closely()
        made.page.goto(url)
        yield made
        assert made.wrong == [], made.wrong
    finally:
        context.close()


def _context(
    browser: Browser, size: tuple[int, int], scheme: Any, *, has_scripts: bool
) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=has_scripts,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    return context
