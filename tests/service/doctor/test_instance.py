"""A running instance, by the documents of its admin port."""

from __future__ import annotations

from typing import Any

from offloader import __version__
from offloader.service.doctor.finding import Finding
from offloader.service.doctor.instance import Told, check_instance

URL = "http://127.0.0.1:4001"
READY = {"ready": True, "reasons": []}
STATUS = {"service": "offloader", "version": __version__, "config_revision": "r1"}


def _diagnostics(*items: dict[str, Any]) -> dict[str, Any]:
    datasets = {"usage": {"state": "active", "snapshot_id": "s1"}}
    return {"verdict": {"area": "none", "items": list(items)}, "datasets": datasets}


def _check(told: Told, revision: str | None = "r1") -> list[Finding]:
    return check_instance(told, revision)


def test_a_good_instance() -> None:
    """It is ready, serves what lies here, and each dataset is named."""
    found = _check(Told(URL, READY, STATUS, _diagnostics()))
    assert [(one.check, one.subject, one.verdict, one.message) for one in found] == [
        ("ready", URL, "ok", "it answers and is ready"),
        ("config revision", "r1", "ok", "the instance serves the project as it lies here"),
        ("dataset", "usage", "ok", "active: s1"),
    ]


def test_each_reason_of_not_being_ready_fails() -> None:
    """A dataset that is not loaded leads to what is said of it, anything else to the log."""
    reasons = ["dataset usage is not loaded yet", "1 of 4 workers are attached"]
    found = _check(Told(URL, {"ready": False, "reasons": reasons}, STATUS, _diagnostics()))
    failed = [one for one in found if one.verdict == "failed"]
    assert [(one.code, one.message) for one in failed] == [("not_ready", text) for text in reasons]
    assert "that dataset" in failed[0].hint
    assert "/diagnostics and the log" in failed[1].hint


def test_another_version_or_revision() -> None:
    """Both are warnings: an old revision may be on its way out."""
    status = {**STATUS, "version": "0.0.1", "config_revision": "r0"}
    found = _check(Told(URL, READY, status, _diagnostics()))
    assert [one.code for one in found if one.verdict == "warning"] == [
        "version_differs",
        "config_differs",
    ]
    quiet = _check(Told(URL, READY, {**STATUS, "config_revision": "r0"}, _diagnostics()), None)
    assert [one.check for one in quiet] == ["ready", "dataset"]


def test_without_the_token_half_is_told() -> None:
    """The refusal and its remedy are one warning."""
    refusal = ("unauthorized", "send the admin token", "the token is not this instance's")
    found = _check(Told(URL, READY, STATUS, None, refusal))
    last = found[-1]
    assert (last.verdict, last.code) == ("warning", "unauthorized")
    assert last.message == "send the admin token: its insides were not looked at"


def test_the_verdict_is_taken_over() -> None:
    """By area, with severity, words and runbook; a note is no trouble."""
    runbook = "docs/operations/runbooks.md#stale"
    words = {"message": "m", "hint": "h", "runbook": runbook}
    items: list[dict[str, Any]] = [
        {"area": "config", "severity": "failing", "dataset": None, "code": "unknown_key", **words},
        {"area": "upstream", "severity": "warning", "dataset": "usage", "code": "stale", **words},
        {"area": "none", "severity": "note", "dataset": "other", "code": "pinned", **words},
    ]
    found = _check(Told(URL, READY, STATUS, _diagnostics(*items)))[2:]
    assert [(one.heading, one.check, one.subject, one.verdict, one.code) for one in found] == [
        ("us", "instance", "", "failed", "unknown_key"),
        ("upstream", "dataset", "usage", "warning", "stale"),
        ("us", "dataset", "other", "ok", "pinned"),
    ]
    assert {(one.message, one.hint, one.runbook) for one in found} == {("m", "h", runbook)}
