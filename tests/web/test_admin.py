"""The admin port: health, readiness, status and diagnostics."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import pytest

from offloader import __version__
from tests.service_process import ADMIN_TOKEN, Running
from tests.web.conftest import Tenants
from tests.web.served import ROWS, WATERMARK_AGE_MINUTES

TOKEN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


def test_live_and_ready(tenants: Tenants) -> None:
    """Both are 200, small, and never kept."""
    live, ready = (tenants.service.ask_admin(route) for route in ("/live", "/ready"))
    assert (live.status, live.document) == (200, {"live": True})
    assert (ready.status, ready.document) == (200, {"ready": True, "reasons": []})
    assert {live.headers["cache-control"], ready.headers["cache-control"]} == {"no-store"}


def test_healthz_says_no_more_than_yes(tenants: Tenants) -> None:
    """Load balancers ask it on the API port."""
    reply = tenants.service.ask("/healthz")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"ok\n", "text/plain")


def test_status_shows_what_is_served(tenants: Tenants) -> None:
    """Service, version, readiness, revision and each dataset."""
    tenants.service.wait(tenants.service.is_complete)
    document = tenants.service.ask_admin("/status").document
    assert re.fullmatch("[0-9a-f]{32}", document.pop("config_revision"))
    age_seconds = document["datasets"]["usage"]["freshness"].pop("age_seconds")
    assert isinstance(age_seconds, int)
    assert document == {
        "service": "offloader",
        "version": __version__,
        "ready": True,
        "reasons": [],
        "verdict": {
            "area": "upstream",
            "summary": "Upstream data: stale, dataset usage.",
            "items": [
                {
                    "area": "upstream",
                    "severity": "warning",
                    "dataset": "usage",
                    "code": "stale",
                    "runbook": "docs/operations/runbooks.md#stale",
                }
            ],
        },
        "generation": 2,
        "datasets": {
            "usage": {
                "state": "active",
                "required": True,
                "snapshot_id": "s0001",
                "row_count": ROWS,
                "freshness": {"watermark": "2026-06-01T00:00:00Z", "stale": True},
                "pinned": False,
                "rolled_back": False,
            }
        },
    }


def test_status_shows_freshness(public: Running) -> None:
    """A dataset is stale when it is for any of its endpoints."""
    before = time.time()
    freshness = public.ask_admin("/status").document["datasets"]["usage"]["freshness"]
    assert freshness["stale"] is True
    watermark = datetime.fromisoformat(freshness["watermark"]).timestamp()
    assert int(before - watermark) <= freshness["age_seconds"] <= time.time() - watermark
    assert freshness["age_seconds"] >= WATERMARK_AGE_MINUTES * 60


def test_diagnostics_show_the_insides(tenants: Tenants) -> None:
    """What status shows, and snapshots, access paths, processes, memory and disk."""
    document: Any = tenants.service.diagnostics()
    usage = document["datasets"]["usage"]
    assert usage["active"]["snapshot_id"] == "s0001"
    assert (usage["previous"], usage["pinned"], usage["quarantined_parts"]) == (None, None, 0)
    assert usage["last_attempt"]["code"] == ""
    assert usage["source_reachable"] is True
    assert all(path["columns"][0] == "tenant_id" for path in usage["access_paths"])
    assert document["processes"]["workers_attached"] == 2
    pids = {worker["pid"] for worker in document["processes"]["workers"]}
    assert len(pids) == 2
    assert 0 < document["memory"]["shared_bytes"] < document["memory"]["limit_bytes"]
    assert document["disk"]["cache_free_bytes"] > 0


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "Bearer wrong",
        "Bearer ",
        f"Basic {ADMIN_TOKEN}",
        ADMIN_TOKEN,
        f"Bearer {ADMIN_TOKEN}x",
        "Bearer \xff",
        "Bearer test-token-tenant_0",
    ],
)
def test_diagnostics_need_the_admin_token(tenants: Tenants, sent: str | None) -> None:
    """Any other token, an API key too, is 401."""
    reply = tenants.service.ask_admin("/diagnostics", {"Authorization": sent} if sent else {})
    assert (reply.status, reply.code) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_diagnostics_are_403_without_a_token_to_compare(public: Running) -> None:
    """While OFFLOADER_ADMIN_TOKEN is unset nobody gets in, whatever is sent."""
    for headers in ({}, TOKEN, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        reply = public.ask_admin("/diagnostics", headers)
        assert (reply.status, reply.code) == (403, "no_admin_token")


@pytest.mark.parametrize("route", ["/live", "/ready", "/status", "/metrics", "/diagnostics"])
def test_head_works_on_every_admin_route(tenants: Tenants, route: str) -> None:
    """The status and the type of GET, without a body; other methods are 405."""
    get = tenants.service.ask_admin(route, TOKEN)
    head = tenants.service.ask_admin(route, TOKEN, "HEAD")
    assert (get.status, head.status, head.body) == (200, 200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    refused = tenants.service.ask_admin(route, TOKEN, "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_nothing_secret_is_shown(tenants: Tenants) -> None:
    """No token, no key's hash and no tenant's name on any admin route or in the log."""
    routes = ("/status", "/metrics", "/diagnostics")
    shown = b"".join(tenants.service.ask_admin(route, TOKEN).body for route in routes)
    text = shown.decode() + str(tenants.service.lines)
    for secret in (ADMIN_TOKEN, "test-token", "token-revoked", "tenant_0", "tenant_1"):
        assert secret not in text
