"""The metrics: exact counts over all workers, names as documented, bounded labels."""

from __future__ import annotations

import re

from tests.web.conftest import Tenants
from tests.web.metric_values import families, samples, value
from tests.web.served import GROUPED, PLAIN, ROWS


def test_requests_are_counted_exactly_on_every_worker(tenants: Tenants) -> None:
    """Statuses, durations and cache results of known requests, whichever worker answered."""
    service = tenants.service
    before = samples(service)
    for worker in (0, 1):
        with service.alone(worker):
            for _ in range(3):
                tenants.ask(f"{PLAIN}?limit=1")
            tenants.ask(f"{PLAIN}?limit=0")
            tenants.ask(PLAIN, if_none_match="*")
            tenants.ask(PLAIN, method="HEAD")
            tenants.ask("/v1/endpoints/absent")
            tenants.ask("/v1/endpoints/usage_hidden")
            service.ask(PLAIN)
            tenants.ask(PLAIN, method="POST")
            tenants.ask("/absent")
    grown = {
        key: number - before.get(key, 0.0)
        for key, number in samples(service).items()
        if number != before.get(key, 0.0)
    }
    counted = {
        (dict(labels)["endpoint"], dict(labels)["status"]): number
        for (name, labels), number in grown.items()
        if name == "offloader_requests_total"
    }
    assert counted == {
        ("usage_rows", "200"): 8,
        ("usage_rows", "422"): 2,
        ("usage_rows", "304"): 2,
        ("usage_rows", "401"): 2,
        ("usage_hidden", "404"): 2,
        ("-", "404"): 4,
        ("-", "405"): 2,
    }
    plain = frozenset({("endpoint", "usage_rows")})
    assert grown["offloader_request_duration_seconds_count", plain] == 14
    off = frozenset({("endpoint", "usage_rows"), ("result", "off")})
    assert grown["offloader_response_cache_total", off] == 8


def test_rows_scanned_are_those_of_the_tenant(tenants: Tenants) -> None:
    """A grouped query reads its tenant's rows: 334 of the first, no more."""
    name = "offloader_rows_scanned_total"
    before = value(tenants.service, name, endpoint="usage_by_account")
    assert tenants.ask(GROUPED).status == 200
    assert value(tenants.service, name, endpoint="usage_by_account") - before == 334


def test_the_instance_shows_itself(tenants: Tenants) -> None:
    """Gauges of a ready instance of two workers with one dataset."""
    found = samples(tenants.service)
    plain = {name: number for (name, labels), number in found.items() if not labels}
    assert plain["offloader_up"] == plain["offloader_ready"] == 1
    assert plain["offloader_generation"] == 2
    assert plain["offloader_requests_in_flight"] == 0
    assert plain["offloader_shared_memory_bytes"] > 0
    dataset = frozenset({("dataset", "usage")})
    assert found["offloader_snapshot_rows", dataset] == ROWS
    assert found["offloader_snapshot_stale", dataset] == 1
    assert found["offloader_refresh_ok", dataset] == 1
    assert found["offloader_source_reachable", dataset] == 1
    assert found["offloader_snapshot_bytes", dataset] == plain["offloader_shared_memory_bytes"]
    assert found["offloader_workers", frozenset({("state", "attached")})] == 2
    assert found["offloader_workers", frozenset({("state", "missing")})] == 0


def test_labels_are_bounded(tenants: Tenants) -> None:
    """What callers send makes no new series, and labels are of the known kinds."""
    before = set(samples(tenants.service))
    for number in range(50):
        tenants.ask(f"/v1/endpoints/made_up_{number}")
        tenants.ask(f"/made/up/{number}")
    assert {name for name, _ in set(samples(tenants.service)) - before} == set()
    labels = {name for _, pairs in before for name, _ in pairs}
    assert labels <= {
        "dataset", "endpoint", "status", "le", "result", "outcome", "state", "process",
        "version", "revision",
    }  # fmt: skip


def test_the_type_of_the_exposition_is_prometheus(tenants: Tenants) -> None:
    """The text format's own content type."""
    reply = tenants.service.ask_admin("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_every_metric_has_a_help_and_a_type(tenants: Tenants) -> None:
    """And a name of this service."""
    for name, family in families(tenants.service).items():
        assert re.fullmatch("offloader_[a-z_]+", name)
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "counter", "histogram")
