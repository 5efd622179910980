"""/docs in a browser: read without scripts, on a phone, in the dark, by everyone; and tried."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.apidocs import documented
from tests.browser.chromium import DESKTOP, PHONE, Visit, visit
from tests.browser.console_page import violations
from tests.projects import key_document, write_yaml
from tests.service_process import Running, running

COPIES = 63  # 67 endpoints with those that there are
SETS = "These params are not one of the allowed sets"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve the documented project with 67 endpoints."""
    folder = tmp_path_factory.mktemp("docs-page")
    root = documented.documented_project(folder / "project")
    names = [f"rows_{number:02}" for number in range(COPIES)]
    for number, name in enumerate(names):
        about = {"name": name, "description": f"Copy {number}", "owner": "billing"}
        write_yaml(root / "endpoints" / f"{name}.yml", {**documented.rows(), **about})
    key = key_document("all", documented.TOKEN, documented.TENANT)
    granted = ["picked", "rows", "totals", "whole", *names]
    write_yaml(root / "keys" / "keys.yml", {"keys": [key | {"endpoints": granted}]})
    with running(root, folder / "cache", workers="1") as made:
        yield made


@pytest.fixture
def url(service: Running) -> str:
    return f"{service.admin_url}/docs"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everyone_can_use_it(
    browser: Browser, url: str, size: tuple[int, int], scheme: str
) -> None:
    """axe-core finds nothing, the page is no wider than the screen; all that folds is open."""
    with visit(browser, url, size=size, scheme=scheme) as seen:
        name = f"docs-{'phone' if size == PHONE else 'desktop'}-{scheme}"
        _keep_only(seen, "picked")
        seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert violations(seen.page) == []
        assert not seen.is_too_wide()
        assert seen.requested == [url]
        seen.picture(name)


def test_it_is_read_without_scripts(browser: Browser, url: str) -> None:
    """All endpoints, params and examples are there; what needs a script is not shown."""
    with visit(browser, url, has_scripts=False) as seen:
        page = seen.page
        assert page.locator("section.endpoint").count() == 4 + COPIES
        assert page.locator("#rows table.params").is_visible()
        assert "curl -H" in page.locator("#rows .languages pre").first.inner_text()
        hidden = page.locator(":is(.try, .copy, .filter, .address):visible")
        assert (hidden.count(), page.locator(".try").count()) == (0, 4 + COPIES)
        page.locator(".names a", has_text="rows_62").click()
        expect(page).to_have_url(f"{url}#rows_62")


def test_the_filter_finds_endpoints(browser: Browser, url: str) -> None:
    """By any words of name, description or owner; Enter goes to the first."""
    with visit(browser, url) as seen:
        page = seen.page
        page.fill("#filter-text", "Billing copy 17")
        assert page.locator("section.endpoint:visible").count() == 1
        assert page.locator("#filter-count").inner_text() == "1 of 67"
        page.press("#filter-text", "Enter")
        expect(page).to_have_url(f"{url}#rows_17")
        page.fill("#filter-text", "nothing like that")
        assert page.locator(".none").is_visible()
        page.fill("#filter-text", "")
        assert page.locator("section.endpoint:visible").count() == 4 + COPIES


def test_a_request_is_printed_that_works(
    browser: Browser, url: str, service: Running, tmp_path: Path
) -> None:
    """What was filled in, quoted for a shell, at the address that was given."""
    with visit(browser, url) as seen:
        page = seen.page
        page.fill("#api-address", f"{service.api_url}/")
        page.locator("#rows .try summary").click()
        page.fill("#try-rows-account", "a0 'b'")
        page.fill("#try-rows-from_day", "2026-01-01")
        page.select_option("#try-rows-is_paid", "true")
        page.select_option("#rows .accept", "text/csv")
        text = page.locator("#rows .try pre").inner_text()
        target = "account=a0+%27b%27&is_paid=true&from_day=2026-01-01"
        assert text == (
            'curl -H "Authorization: Bearer $API_KEY" \\\n'
            "  -H 'Accept: text/csv' \\\n"
            f"  '{service.api_url}/v1/endpoints/rows?{target}'"
        )
        first = page.locator("#rows .languages pre").first.inner_text()
        assert f"{service.api_url}/v1/endpoints/rows?limit=6" in first
        page.fill("#try-rows-account", "a0")
        text = page.locator("#rows .try pre").inner_text()
    done = subprocess.run(
        ["bash", "-c", text],
        env={"API_KEY": documented.TOKEN, "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout.splitlines()[1].startswith("a0,0,0,0.0,0.00,true,2026-01-01,")


def test_what_is_missing_or_not_allowed_is_said(browser: Browser, url: str) -> None:
    """A required param, and params that are no allowed set."""
    with visit(browser, url) as seen:
        page = seen.page
        page.locator("#picked .try summary").click()
        problem = page.locator("#picked .problem")
        assert problem.inner_text() == "Still required: account"
        page.fill("#try-picked-account", "a1")
        assert problem.inner_text() == ""
        page.fill("#try-picked-limit", "2")
        assert problem.inner_text() == ""
        page.evaluate("document.querySelector('#picked form').dataset.sets = '[[\"least\"]]'")
        page.fill("#try-picked-limit", "1")
        assert problem.inner_text() == SETS


def test_an_address_that_is_none_changes_nothing(browser: Browser, url: str) -> None:
    """Examples keep the last good one."""
    with visit(browser, url) as seen:
        example = seen.page.locator("#rows .languages pre").first
        before = example.inner_text()
        for text in ("javascript:alert(1)", "https://a'b", "nothing"):
            seen.page.fill("#api-address", text)
            assert example.inner_text() == before


def _keep_only(seen: Visit, name: str) -> None:
    """Leave one endpoint, so that a picture of the whole page can be looked at."""
    seen.page.evaluate(
        "name => document.querySelectorAll('section.endpoint, .names li').forEach(one => {"
        " if (one.id !== name && one.innerText.trim() !== name) one.remove(); })",
        name,
    )
