"""A real Prometheus scrapes a real service, evaluates the rules, and feeds every panel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.infra.prometheus_server import Prometheus, prometheus
from tests.infra.test_alerts import RULES
from tests.infra.test_dashboard import PANELS
from tests.infra.watched import PLAIN, Watched
from tests.web.metric_values import value

# Data of January 2026: stale for a window of two hours, for as long as anybody runs this.
FIRING_SOON = {"OffloaderStale"}
REQUESTS = 20


@pytest.fixture(scope="module")
def server(seen: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), seen.service.admin) as running:
        running.wait(lambda: (running.value("scrape_samples_scraped") or 0) > 0)
        yield running


pytestmark = pytest.mark.usefixtures("tools")


def test_the_scrape_is_clean(server: Prometheus, seen: Watched) -> None:
    """One healthy target of the job `offloader`, every sample taken, not a word in the log."""
    server.wait(lambda: _health(server) == ("up", ""))  # a scrape may take long on a busy machine
    (target,) = server.api("targets")["activeTargets"]
    assert target["labels"] == {
        "job": "offloader",
        "instance": f"127.0.0.1:{seen.service.admin[1]}",
    }
    scraped, kept = "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"
    server.wait(lambda: server.value(f"{scraped} - {kept} and {scraped} > 0") == 0)
    assert server.trouble() == []


def test_types_and_help_are_understood(server: Prometheus, seen: Watched) -> None:
    """Prometheus knows every family by its type, and nothing else."""
    known = {name: told[0]["type"] for name, told in server.api("metadata").items()}
    body = seen.service.ask_admin("/metrics").body.decode()
    assert known == dict(re.findall(r"^# TYPE (\w+) (\w+)$", body, re.MULTILINE))


def test_values_are_those_of_the_service(server: Prometheus, seen: Watched) -> None:
    """Health, rows and workers, as they are."""
    values = {
        "up": 1,
        "offloader_up": 1,
        "offloader_ready": 1,
        "offloader_draining": 0,
        'offloader_workers{state="attached"}': 2,
        'offloader_snapshot_rows{dataset="usage"}': 3000,
        'offloader_snapshot_stale{dataset="usage"}': 1,
        "offloader_cache_disk_size_bytes > bool offloader_cache_disk_free_bytes": 1,
        'sum(offloader_segment_store_total{result="fetched"})': 0,
    }
    for expression, expected in values.items():  # there is none after a scrape that took too long
        server.wait(partial(_is_value, server, expression, expected))


def test_requests_are_counted_as_they_come(server: Prometheus, seen: Watched) -> None:
    """The counter grows by exactly the requests made, and a rate is seen."""
    labels = {"endpoint": "usage_rows", "status": "200"}
    counted = value(seen.service, "offloader_requests_total", **labels)
    name = 'offloader_requests_total{endpoint="usage_rows", status="200"}'
    server.wait(lambda: server.value(name) == counted)
    for _ in range(REQUESTS):
        assert seen.ask(PLAIN) == 200
    server.wait(lambda: server.value(name) == counted + REQUESTS)
    server.wait(lambda: (server.value(f"rate({name}[1m])") or 0) > 0)
    durations = 'offloader_request_duration_seconds_count{endpoint="usage_rows"}'
    server.wait(lambda: server.value(durations) == counted + REQUESTS)
    quantile = "histogram_quantile(0.99, sum by (le) (rate({}[1m])))".format(
        'offloader_request_duration_seconds_bucket{endpoint="usage_rows"}'
    )
    server.wait(lambda: 0 < (server.value(quantile) or 0) < 10)


def test_rules_are_evaluated(server: Prometheus, seen: Watched) -> None:
    """Every rule without an error; of a well service with old data only staleness is on its way."""
    server.wait(lambda: all(rule["lastEvaluation"][:4] != "0001" for rule in evaluated(server)))
    server.wait(lambda: {r["name"] for r in evaluated(server) if r["alerts"]} == FIRING_SOON)
    found = {rule["name"]: rule for rule in evaluated(server)}
    assert found.keys() == RULES.keys()
    for rule in found.values():
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule
    told = [alert["annotations"]["summary"] for alert in found["OffloaderStale"]["alerts"]]
    address = f"127.0.0.1:{seen.service.admin[1]}"
    assert sorted(told) == [f"{name} is stale on {address}" for name in ("archive", "usage")]


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_every_panel_has_something_to_show(
    panel: dict[str, Any], server: Prometheus, seen: Watched
) -> None:
    """Each query of the dashboard, with its variables at All, is valid and gives series."""
    for target in panel["targets"]:
        server.wait(partial(server.query, _with_all(target["expr"])))


def _health(server: Prometheus) -> tuple[str, str]:
    (target,) = server.api("targets")["activeTargets"]
    return target["health"], target["lastError"]


def _is_value(server: Prometheus, expression: str, expected: float) -> bool:
    return server.value(expression) == expected


def evaluated(server: Prometheus) -> list[dict[str, Any]]:
    """Return every rule as Prometheus has it."""
    return [rule for group in server.api("rules")["groups"] for rule in group["rules"]]


def _with_all(expression: str) -> str:
    """Return an expression as Grafana sends it with every variable at All."""
    return re.sub(r"\$(job|instance|dataset|endpoint)\b", ".*", expression).replace(
        "$__rate_interval", "1m"
    )
