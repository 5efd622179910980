"""The alert rules: valid, complete, tested, and only about what the service really exposes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.docs.markdown import ROOT
from tests.infra.reading import check_expression
from tests.infra.tools import PROMETHEUS_FOLDER, promtool
from tests.infra.watched import Watched

SEVERITIES = {"critical", "warning", "info"}
OWNERS = {"platform", "service_owner", "data_team"}
AREAS = {"service", "environment", "config", "upstream"}
# What an operator must hear of, and the alert that says it.
INCIDENTS = {
    "down": "OffloaderDown",
    "not ready": "OffloaderNotReady",
    "stale": "OffloaderStale",
    "refresh failing": "OffloaderRefreshFails",
    "source unreachable": "OffloaderSourceUnreachable",
    "config sync failing": "OffloaderConfigSyncFails",
    "memory": "OffloaderMemoryNearLimit",
    "disk": "OffloaderDiskLow",
    "workers missing": "OffloaderWorkersMissing",
    "restart loop": "OffloaderRestartLoop",
    "shedding": "OffloaderShedding",
    "pinned for long": "OffloaderPinned",
    "latency": "OffloaderSlow",
    "scan failures": "OffloaderScansFail",
    "segment store failing": "OffloaderSegmentStoreFails",
}


def rules() -> dict[str, dict[str, Any]]:
    """Return every rule of the file by its name."""
    found = [rule for group in _document("alerts.yml")["groups"] for rule in group["rules"]]
    names = [rule["alert"] for rule in found]
    assert len(set(names)) == len(names)
    return {rule["alert"]: rule for rule in found}


def _document(name: str) -> dict[str, Any]:
    text = (PROMETHEUS_FOLDER / name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


RULES = rules()
TESTS = _document("alerts_test.yml")["tests"]
EACH = pytest.mark.parametrize("name", RULES)


def test_there_is_an_alert_for_each_incident() -> None:
    """Each of the incidents has its alert."""
    assert set(INCIDENTS.values()) <= RULES.keys()


@EACH
def test_each_says_whom_to_call_and_what_to_do(name: str) -> None:
    """Severity, owner and area are of the known ones; texts are sentences; the runbook exists."""
    rule = RULES[name]
    labels, notes = rule["labels"], rule["annotations"]
    assert (labels.keys(), notes.keys()) == (
        {"severity", "owner", "area"},
        {"summary", "description", "runbook"},
    )
    assert labels["severity"] in SEVERITIES
    assert labels["owner"] in OWNERS
    assert labels["area"] in AREAS
    assert not notes["summary"].endswith(".")
    assert notes["description"].count(". ") >= 1  # what it is, and what to do
    assert notes["description"].endswith(".")
    page, _, heading = notes["runbook"].partition("#")
    assert page == "docs/operations/runbooks.md"
    assert heading in _headings(page)


@EACH
def test_each_is_about_what_is_exposed(name: str, seen: Watched) -> None:
    """Every metric, label and value of its expression and texts is one of the real service."""
    rule = RULES[name]
    check_expression(rule["expr"], seen)
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    exposed = {label for metric in seen.series for label in seen.labels_of(metric)}
    assert used <= exposed


@EACH
def test_each_is_simulated(name: str) -> None:
    """The tests have a series on which it fires, and a healthy instance on which it does not."""
    checks = [check for test in TESTS for check in test["alert_rule_test"]]
    mine = [check for check in checks if check["alertname"] == name]
    assert [bool(check.get("exp_alerts")) for check in mine].count(True) >= 1
    healthy = TESTS[0]["alert_rule_test"]
    assert [check["alertname"] for check in healthy] == list(RULES)
    assert not any(check.get("exp_alerts") for check in healthy)


def test_the_page_lists_each() -> None:
    """docs/operations/monitoring.md: name, severity, owner and runbook, in the file's order."""
    page = (ROOT / "docs" / "operations" / "monitoring.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| `(Offloader\w+)` \| [^|]+ \| (\w+) \| ([\w ]+) \| .*\((.*)\) \|$", re.M)
    assert row.findall(page) == [
        (
            name,
            rule["labels"]["severity"],
            rule["labels"]["owner"].replace("_", " "),
            rule["annotations"]["runbook"].removeprefix("docs/operations/"),
        )
        for name, rule in RULES.items()
    ]


@pytest.mark.usefixtures("tools")
def test_promtool_accepts_config_and_rules() -> None:
    """The files are valid, and every simulation ends as it says."""
    code, printed = promtool("check", "config", "prometheus.yml")
    assert code == 0, printed
    assert f"{len(RULES)} rules found" in printed
    code, printed = promtool("test", "rules", "alerts_test.yml")
    assert (code, "SUCCESS" in printed) == (0, True), printed


def _headings(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}
