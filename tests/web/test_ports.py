"""Two ports, several workers: what answers where, and that all give the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.projects import UsageProject
from tests.service_process import Running, running
from tests.web.conftest import Tenants
from tests.web.served import GROUPED, PICKED, PLAIN, tenant_project

ADMIN_ROUTES = (
    *("/live", "/ready", "/status", "/metrics", "/diagnostics"),
    *("/", "/console.json", "/console-details.json", "/console.css", "/console.js", "/runbooks"),
)
API_ROUTES = (PLAIN, GROUPED, "/v1/endpoints/absent", "/healthz")
TARGETS = (
    PLAIN,
    f"{PLAIN}?limit=500&region=eu",
    f"{PLAIN}?columns=attributes,storage_gb&offset=7",
    GROUPED,
    f"{PICKED}?region=us&most=900",
)
Answer = tuple[str, str, bytes]


def answers(service: Running, project: UsageProject) -> list[Answer]:
    """Return ETag, type and body of requests of two tenants in both formats."""
    found = []
    for tenant in ("tenant_0", "tenant_2"):
        for target in TARGETS:
            for accept in ("application/json", "application/x-ndjson"):
                headers = {**project.authorization(tenant), "Accept": accept}
                reply = service.ask(target, headers)
                assert reply.status == 200
                found.append((reply.headers["etag"], reply.headers["content-type"], reply.body))
    return found


def test_every_worker_and_every_start_gives_the_same_bytes(tmp_path: Path) -> None:
    """Body and ETag are the same on both workers, after a warm restart and after a cold one."""
    project = tenant_project(tmp_path / "project")
    cache = tmp_path / "cache"
    found: list[list[Answer]] = []
    for start in ("cold", "warm", "cold again"):
        if start == "cold again":
            shutil.rmtree(cache)
        with running(project.root, cache) as service:
            assert len(service.events("build_started")) == (0 if start == "warm" else 1)
            for worker in (0, 1):
                with service.alone(worker):
                    found.append(answers(service, project))
    assert len(found) == 6
    assert all(one == found[0] for one in found)
    assert len({tag for tag, _, _ in found[0]}) == len(found[0])


@pytest.mark.parametrize("worker", [0, 1])
def test_each_port_has_its_own_routes(tenants: Tenants, worker: int) -> None:
    """On each worker every admin route is 404 on the API port, and the reverse."""
    key = {"Authorization": "Bearer test-token-tenant_0"}
    with tenants.service.alone(worker):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            for route in ADMIN_ROUTES:
                assert tenants.service.ask(route, key, method).status == 404
            for route in API_ROUTES:
                assert tenants.service.ask_admin(route, key, method).status == 404
        assert tenants.service.ask(PLAIN, key).status == 200
        assert tenants.service.ask_admin("/live").status == 200


def test_what_is_on_the_other_port_cannot_be_told_from_nothing(tenants: Tenants) -> None:
    """An admin route answers on the API port as a path that exists nowhere, and the reverse."""
    sent = {"X-Request-Id": "same"}
    for route in ADMIN_ROUTES:
        assert tenants.service.ask(route, sent) == tenants.service.ask("/absent", sent)
    for route in API_ROUTES:
        assert tenants.service.ask_admin(route, sent) == tenants.service.ask_admin("/absent", sent)
