"""The console in a real browser: it loads clean, can be read by anybody, and stays in place."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import DESKTOP, PHONE, visit
from tests.browser.console_page import open_details, refresh, unlock, violations
from tests.web.admin_app import TOKEN
from tests.web.console_scenes import document, failing, many, traffic
from tests.web.console_site import ConsoleSite, console_site


@pytest.mark.parametrize(
    ("name", "size", "scheme"), [("desktop", DESKTOP, "light"), ("phone", PHONE, "dark")]
)
def test_nothing_keeps_people_from_using_it(
    browser: Browser, site: ConsoleSite, name: str, size: tuple[int, int], scheme: str
) -> None:
    """axe-core finds no violation, locked and unlocked; the page is never wider than the screen."""
    site.scene.document = failing()
    with visit(browser, site.url, size=size, scheme=scheme) as seen:
        expect(seen.page.get_by_label("Admin token")).to_be_visible()
        assert violations(seen.page) == []
        seen.picture(f"console-locked-{name}")
        unlock(seen.page)
        open_details(seen.page, "billing")
        seen.page.locator("#by-endpoint summary").click()
        assert violations(seen.page) == []
        assert not seen.is_too_wide()
        seen.picture(f"console-failing-{name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_instance_that_is_well_is_calm(browser: Browser, site: ConsoleSite, scheme: str) -> None:
    """Charts are drawn from the differences of the counts, and a dialog has no violation."""
    with visit(browser, site.url, scheme=scheme) as seen:
        unlock(seen.page)
        expect(seen.page.locator("#charts")).to_be_hidden()
        for turn in range(1, 7):
            site.scene.now += 5
            site.scene.traffic = (traffic(requests=1000 + 500 * turn + 90 * (turn % 3)),)
            refresh(seen.page)
        expect(seen.page.locator("#rate-now")).to_have_text("64/s")
        expect(seen.page.locator("#slow-now")).to_have_text("0.99 ms")
        assert len(seen.page.locator("#rate .line").first.get_attribute("points").split()) == 6  # type: ignore[union-attr]
        seen.picture(f"console-well-{scheme}")
        open_details(seen.page, "usage")
        seen.page.get_by_text("Roll back…").click()
        assert violations(seen.page) == []
        seen.picture(f"console-dialog-{scheme}", is_whole=False)


def test_it_can_be_read_without_scripts(browser: Browser, site: ConsoleSite) -> None:
    """State, cause, runbook and how to go on; nothing that only scripts could do is shown."""
    site.scene.document = failing()
    with visit(browser, site.url, has_scripts=False) as seen:
        text = seen.page.locator("body").inner_text()
        for shown in ("Not ready", "row_count_dropped", "Runbook: Bad manifest", "curl -H"):
            assert shown in text
        expect(seen.page.get_by_role("link", name="Reload")).to_be_visible()
        expect(seen.page.locator("#pause")).to_be_hidden()
        expect(seen.page.locator("#unlock")).to_be_hidden()
        seen.picture("console-without-scripts")


def test_many_datasets_stay_usable(browser: Browser, site: ConsoleSite) -> None:
    """66 datasets and 67 endpoints: a refresh takes a moment, and a filter finds one."""
    site.scene.document = many()
    site.scene.traffic = tuple(traffic(f"endpoint_{number}", 1000 - number) for number in range(67))
    with visit(browser, site.url) as seen:
        unlock(seen.page)
        expect(seen.page.locator("tbody[data-name]")).to_have_count(66)
        seconds = seen.page.evaluate(
            """async () => {
                const { morph } = await import(new URL("morph.js", location));
                const reply = await fetch("console.json");
                const news = (await reply.json()).sections.datasets;
                const times = Array.from({ length: 5 }, () => {
                    const began = performance.now();
                    morph(document.getElementById("datasets"), news);
                    return (performance.now() - began) / 1000;
                });
                return Math.min(...times);
            }"""
        )
        assert seconds < 0.25
        seen.page.get_by_label("Filter").fill("number_07")
        expect(seen.page.locator("tbody[data-name]:visible")).to_have_count(1)
        refresh(seen.page)
        expect(seen.page.locator("tbody[data-name]:visible")).to_have_count(1)
        seen.page.get_by_label("Filter").fill("")
        seen.picture("console-many")


def test_a_refresh_touches_only_what_changed(browser: Browser, site: ConsoleSite) -> None:
    """Rows keep their place in the page, details stay open, the focus stays where it is."""
    site.scene.document = failing()
    with visit(browser, site.url) as seen:
        page = seen.page
        unlock(page)
        open_details(page, "usage")
        page.evaluate("window.before = document.getElementById('dataset-usage')")
        page.get_by_role("button", name="Details of usage").focus()
        told = failing()
        told["datasets"]["usage"]["row_count"] = 4_321
        told["datasets"]["accounts"]["state"] = "failed"  # comes before it from now on
        site.scene.document = told
        page.evaluate("document.getElementById('pause').click()")
        page.evaluate("document.getElementById('pause').click()")
        expect(page.locator("#dataset-usage")).to_contain_text("4,321")
        assert page.evaluate("window.before === document.getElementById('dataset-usage')")
        expect(page.locator("#more-usage")).to_be_visible()
        expect(page.get_by_role("button", name="Details of usage")).to_be_focused()
        first = page.locator("tbody[data-name]").first
        expect(first).to_have_attribute("data-name", "accounts")


def test_a_change_of_the_verdict_is_announced(browser: Browser, site: ConsoleSite) -> None:
    """It stands in a live region, and in the title of the tab."""
    with visit(browser, site.url) as seen:
        live = seen.page.locator("#verdict [role=status]")
        expect(live).to_contain_text("Serving")
        site.scene.document = failing()
        refresh(seen.page)
        expect(live).to_contain_text("Not ready")
        expect(seen.page).to_have_title("Not ready · Offloader")


def test_a_wrong_token_is_forgotten(browser: Browser, site: ConsoleSite) -> None:
    """The page says so and shows what anybody may see; the right one can follow."""
    with visit(browser, site.url) as seen:
        with seen.page.expect_console_message():
            unlock(seen.page, "wrong")
        expect(seen.page.locator("#access-told")).to_contain_text("not the admin token")
        assert seen.page.evaluate("sessionStorage.length") == 0
        assert len(seen.wrong) == 1
        assert "401" in seen.wrong.pop()
        unlock(seen.page)
        expect(seen.page.locator("#unlocked")).to_be_visible()
        expect(seen.page.locator("#access-told")).to_have_text("")


def test_the_token_stays_in_its_tab(browser: Browser, site: ConsoleSite) -> None:
    """It survives a reload, is in no address, no cookie and no other tab, and can be forgotten."""
    with visit(browser, site.url) as seen:
        unlock(seen.page)
        expect(seen.page.locator("#unlocked")).to_be_visible()
        seen.page.reload()
        expect(seen.page.locator("#unlocked")).to_be_visible()
        assert seen.page.context.cookies() == []
        assert not [url for url in seen.requested if TOKEN in url]
        other = seen.page.context.new_page()
        other.goto(site.url)
        expect(other.get_by_label("Admin token")).to_be_visible()
        seen.page.get_by_role("button", name="Forget the token").click()
        expect(seen.page.locator("[data-more]")).to_have_count(0)
        assert seen.page.evaluate("sessionStorage.length") == 0


def test_an_instance_without_a_token_offers_no_form(browser: Browser) -> None:
    """It says which variable to set."""
    with console_site(token=None) as site, visit(browser, site.url) as seen:
        expect(seen.page.get_by_text("OFFLOADER_ADMIN_TOKEN").first).to_be_visible()
        expect(seen.page.locator("#unlock")).to_be_hidden()


def test_a_page_whose_instance_is_gone_says_so(browser: Browser) -> None:
    """What was known stays, marked as old."""
    with console_site() as site, visit(browser, site.url) as seen:
        expect(seen.page.locator("#told")).to_contain_text("As of")
        site.scene.document = document(datasets=None, version=None)
        site.scene.document.pop("version")
        refresh(seen.page)
        expect(seen.page.locator("#told")).to_contain_text("No answer")
        expect(seen.page.locator("#dataset-usage")).to_be_visible()
        assert all("500" in one for one in seen.wrong)
        seen.wrong.clear()


def test_the_runbooks_can_be_read(browser: Browser, site: ConsoleSite) -> None:
    """The link of a problem leads to its heading; the page has no violation."""
    site.scene.document = failing()
    with visit(browser, site.url, size=PHONE) as seen:
        seen.page.get_by_role("link", name="Runbook: Memory full").click()
        expect(seen.page.get_by_role("heading", name="Memory full")).to_be_in_viewport()
        assert violations(seen.page) == []
        assert not seen.is_too_wide()
        seen.picture("runbooks-phone", is_whole=False)
