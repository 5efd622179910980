"""`/metrics` of a real service: what promtool says of it, and what the documentation does."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT
from tests.infra.tools import promtool
from tests.infra.watched import Watched
from tests.web.metric_values import families

# Part of the contract: each is exposed, and of this type. A counter's name ends in `_total`.
CONTRACT = {
    "gauge": (
        *("up", "ready", "generation", "swap_duration_seconds", "workers", "requests_in_flight"),
        *("build_info", "config_info", "config_sync_enabled", "config_sync_ok"),
        *("snapshot_age_seconds", "snapshot_stale", "snapshot_rows", "snapshot_bytes"),
        *("snapshot_pinned", "refresh_ok", "refresh_duration_seconds", "source_reachable"),
        *("quarantined_segments", "cache_disk_free_bytes"),
        *("shared_memory_bytes", "shared_memory_limit_bytes"),
    ),
    "counter": ("refreshes", "process_restarts", "requests", "rows_scanned", "response_cache"),
    "histogram": ("request_duration_seconds",),
}
LABELS = {
    *("dataset", "endpoint", "status", "le", "result", "outcome", "state", "process"),
    *("reason", "version", "revision"),
}


@pytest.mark.usefixtures("tools")
def test_promtool_finds_nothing_to_mend(seen: Watched) -> None:
    """No lint of names, types, units or help texts."""
    body = seen.service.ask_admin("/metrics").body
    assert promtool("check", "metrics", sent=body) == (0, "")


def test_the_contract_is_exposed(seen: Watched) -> None:
    """Every name of the contract, with its type."""
    found = families(seen.service)
    for kind, names in CONTRACT.items():
        for name in names:
            assert found[f"offloader_{name}"].type == kind, name


def test_every_metric_is_documented(seen: Watched) -> None:
    """The table of docs/api.md has all there are, with their labels, in order, in their words."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(offloader_\w+)` \| ([\w, ]*) \| (.+) \|$", page, re.MULTILINE)
    body = seen.service.ask_admin("/metrics").body.decode()
    exposed = re.findall(r"^# HELP (\w+) (.+)$", body, re.MULTILINE)
    assert [(name, text) for name, _, text in listed] == exposed
    for name, labels, _ in listed:
        of_histogram = seen.series.get(f"{name}_sum", [])
        series = seen.series.get(name, of_histogram)
        assert {label for one in series for label in one} == set(re.findall(r"\w+", labels)), name


def test_labels_are_of_known_kinds(seen: Watched) -> None:
    """No label is made of anything a caller sends."""
    found = {label for series in seen.series.values() for one in series for label in one}
    assert found == LABELS
