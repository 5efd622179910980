"""What many tests share: a tenant-scoped service of two workers, a public one, an admin app.

Every test with one of the services runs twice: with the hot path, and with Sanic's own path alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.http_replies import Reply
from tests.projects import UsageProject
from tests.service_process import Running, running
from tests.web.admin_app import DONE, AdminApp, admin_app
from tests.web.served import public_project, tenant_project

PAGE = "https://app.example.com"


@dataclass(frozen=True, slots=True)
class Tenants:
    """The tenant-scoped service and its project."""

    service: Running
    project: UsageProject

    def ask(self, target: str, tenant: int = 0, method: str = "GET", **headers: str) -> Reply:
        """Ask the API as one tenant; `if_none_match` is the header If-None-Match."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        key = self.project.authorization(f"tenant_{tenant}")
        return self.service.ask(target, {**key, **sent}, method)


@pytest.fixture(scope="session", params=["on", "off"], ids=["hot", "ordinary"])
def hot_path(request: pytest.FixtureRequest) -> str:
    """Return what OFFLOADER_HOT_PATH is."""
    return str(request.param)


@pytest.fixture(scope="session")
def tenants(tmp_path_factory: pytest.TempPathFactory, hot_path: str) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("tenants")
    project = tenant_project(folder / "project")
    with running(project.root, folder / "cache", hot_path=hot_path) as service:
        service.wait(service.is_complete)
        service.wait(lambda: service.diagnostics()["datasets"]["usage"]["last_attempt"])
        yield Tenants(service, project)


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory, hot_path: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("public")
    public_project(folder / "project")
    with running(
        folder / "project",
        folder / "cache",
        workers="1",
        cors_origins=PAGE,
        admin_token="",
        hot_path=hot_path,
    ) as service:
        yield service


@pytest.fixture(scope="module")
def admin_with_stand_in() -> Iterator[AdminApp]:
    with admin_app() as made:
        yield made


@pytest.fixture
def app(admin_with_stand_in: AdminApp) -> AdminApp:
    """Return the admin app whose reloader does what it is told, and was asked nothing yet."""
    admin_with_stand_in.asked.clear()
    admin_with_stand_in.answer = DONE
    return admin_with_stand_in
