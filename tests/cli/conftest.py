"""A running instance, its reloader a stand-in, for commands that ask the admin port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.admin_app import DONE, TOKEN, AdminApp, admin_app


@pytest.fixture(scope="session")
def served() -> Iterator[AdminApp]:
    with admin_app() as made:
        yield made


@pytest.fixture
def app(served: AdminApp, monkeypatch: pytest.MonkeyPatch) -> AdminApp:
    """An instance at the default URL's port, and its token in the environment."""
    served.asked.clear()
    served.answer = DONE
    served.made.tell(usage={})
    monkeypatch.delenv("OFFLOADER_ADMIN_TOKEN_FILE", raising=False)
    monkeypatch.setenv("OFFLOADER_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("OFFLOADER_ADMIN_PORT", str(served.address[1]))
    return served
