"""What the tests in a browser share: the browser, and the console over documents made by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.web.console_scenes import document, traffic
from tests.web.console_site import ConsoleSite, console_site


# Not for the session: while it is open its event loop is that of the main thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def shared_site() -> Iterator[ConsoleSite]:
    with console_site() as served:
        yield served


@pytest.fixture
def site(shared_site: ConsoleSite) -> ConsoleSite:
    """Return the console of an instance that is well; a test may change what it shows."""
    shared_site.scene.document, shared_site.scene.traffic = document(), (traffic(),)
    return shared_site
