"""A deployment that is wrong in one thing never passes, and is told which thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy_check.breakages import BREAKAGES, NEVER_LOADS, NO_TOKEN, Breakage
from tests.deploy_check.gate import gate_for
from tests.deploy_check.site import ENDPOINT, KEY, OLD_ENDPOINT, Site, now
from tests.projects import publish, usage_project, usage_table
from tests.service_process import running


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.words)
def test_a_breakage_fails_with_its_code_and_its_cause(served: Site, breakage: Breakage) -> None:
    """The exit code is that of the family, a line names the cause, the summary says the same."""
    with breakage.make(served.service) as environ:
        checked = served.gate.check(**environ)
    assert checked.exit_code == breakage.exit_code, checked
    assert [line for line in checked.failures if line.startswith(breakage.line)], checked.failures
    family = checked.failures[0].split()[1]
    assert checked.summary["failed_family"] == family
    assert (checked.summary["ok"], checked.summary["exit_code"]) == (False, breakage.exit_code)


def test_old_data_hides_nothing_worse(served: Site) -> None:
    """Stale data behind a proxy that opens the API is 30: 50 says that all else is fine."""
    (opens,) = (one for one in BREAKAGES if one.words == "a proxy adds a key")
    with opens.make(served.service) as environ:
        checked = served.gate.check(endpoint=OLD_ENDPOINT, **environ)
    assert checked.exit_code == 30
    families = [line.split()[1] for line in checked.failures]
    assert families == ["endpoint", "endpoint", "snapshot"]


def test_a_dataset_that_never_loads_and_a_missing_token(tmp_path: Path) -> None:
    """While nothing is published it is 10 with the reason; then 20, for there is no admin token."""
    project = usage_project(tmp_path / "project", rows=100)
    project.manifest_path.unlink()
    settings = {"admin_token": "", "workers": "1"}
    with running(project.root, tmp_path / "cache", until="live", **settings) as service:
        gate = gate_for(tmp_path, service.api_url, service.admin_url, KEY, ENDPOINT)
        checked = gate.check(ready_timeout="1")
        assert checked.exit_code == NEVER_LOADS.exit_code
        assert checked.failures[0].startswith(NEVER_LOADS.line)
        skipped = ["admin", "endpoint", "separation", "snapshot"]
        assert [line.split()[1] for line in checked.lines if line[:4] == "skip"] == skipped

        publish(project, usage_table(100), "s0001", watermark=now())
        service.wait(service.is_ready)
        checked = gate.check()
    assert (checked.exit_code, checked.failures) == (NO_TOKEN.exit_code, [NO_TOKEN.line])
