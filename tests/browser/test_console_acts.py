"""Actions through the console in a real browser, on the real service: they really swap."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import visit
from tests.browser.console_page import ask_for, open_details, unlock
from tests.service_process import ADMIN_TOKEN, running
from tests.web.acting import NEVER, Instance, new_instance


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Return an instance that serves s0002, s0001 before it; only actions make it look."""
    made = new_instance(tmp_path_factory.mktemp("console"))
    with running(made.project.root, made.cache, refresh_interval=NEVER) as service:
        made.service = service
        service.wait(service.is_complete)
        made.serve_next()
        yield made


def dialog_says(page: Page, text: str) -> None:
    """Wait for the outcome of an action."""
    expect(page.locator("#act-result")).to_contain_text(text, timeout=60_000)


def test_actions_of_the_page_really_swap(browser: Browser, instance: Instance) -> None:
    """Each is confirmed in a dialog that shows from and to; then callers get the other snapshot."""
    assert instance.served_id() == "s0002"
    with visit(browser, f"{instance.service.admin_url}/") as seen:
        page = seen.page
        unlock(page, ADMIN_TOKEN)
        open_details(page, "usage")
        ask_for(page, "usage", "Roll back")
        expect(page.locator("#act-before")).to_have_text("s0002")
        expect(page.locator("#act-after")).to_have_text("s0001")
        seen.picture("console-confirm-rollback", is_whole=False)
        page.get_by_role("button", name="Cancel").click()
        assert instance.served_id() == "s0002"

        ask_for(page, "usage", "Roll back")
        page.get_by_label("Reason, for the audit log").fill("sums are wrong")
        page.get_by_role("button", name="Roll back", exact=True).click()
        dialog_says(page, "Done: s0001 is served on every worker.\ns0002 → s0001")
        assert instance.served_id() == "s0001"
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#dataset-usage .id").first).to_have_text("s0001")
        expect(page.locator("#changes")).to_contain_text("rolled back")
        assert instance.audits()[-1][1:7] == (
            *("rollback", "usage", "s0002", "s0001", "done", "sums are wrong"),
        )

        ask_for(page, "usage", "Pin")
        page.get_by_label("Snapshot", exact=True).fill("s0002")
        expect(page.locator("#act-after")).to_have_text("s0002")
        page.get_by_role("button", name="Pin", exact=True).click()
        dialog_says(page, "Refused: the snapshot s0002 was put away: rolled back (needs_accept).")
        seen.picture("console-refused-pin", is_whole=False)
        page.get_by_label("Also if it was rolled back or quarantined").check()
        page.get_by_role("button", name="Pin", exact=True).click()
        dialog_says(page, "Done: s0002 is served on every worker.")
        page.get_by_role("button", name="Close").click()
        assert instance.served_id() == "s0002"
        expect(page.locator("#dataset-usage .state")).to_contain_text("pinned")

        ask_for(page, "usage", "Unpin")
        expect(page.locator("#act-before")).to_have_text("pinned to s0002")
        page.get_by_role("button", name="Unpin", exact=True).click()
        dialog_says(page, "Done: the dataset follows its source again")
        page.get_by_role("button", name="Close").click()
        seen.wrong[:] = [one for one in seen.wrong if "409" not in one]


def test_an_action_can_be_asked_for_with_the_keyboard_alone(
    browser: Browser, instance: Instance
) -> None:
    """Tab, Enter and Escape are enough; a new snapshot arrives, and the focus comes back."""
    wanted = instance.publish_next()
    with visit(browser, f"{instance.service.admin_url}/") as seen:
        page = seen.page
        tab_to(page, "#token")
        page.keyboard.type(ADMIN_TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("[data-more]")).to_be_visible()
        tab_to(page, "[data-more]")
        page.keyboard.press("Enter")
        tab_to(page, "[data-kind=refresh]")
        page.keyboard.press("Enter")
        expect(page.locator("#act")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#act")).to_be_hidden()
        expect(page.locator("[data-kind=refresh]")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, "#act-do")
        page.keyboard.press("Enter")
        dialog_says(page, f"Done: {wanted} is served on every worker.")
        expect(page.get_by_role("button", name="Close")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#act")).to_be_hidden()
    assert instance.served_id() == wanted


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, which has to be seen; fail after forty."""
    target = page.locator(selector).first
    for _ in range(40):
        page.keyboard.press("Tab")
        if target.evaluate("one => one === document.activeElement"):
            outline = target.evaluate("one => getComputedStyle(one).outlineStyle")
            assert outline == "solid"
            return
    pytest.fail(f"no way to {selector} with the keyboard")
