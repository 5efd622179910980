"""`make deploy-check` where there is no engine: the same is verified against the process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dev.deploy_check.__main__ import NO_ENGINE
from dev.deploy_check.engine import problems_of
from dev.deploy_check.project import EXAMPLE, fresh_revision
from tests.docs.markdown import ROOT

_SECONDS = 120.0
CONFIG = {
    "User": "10001:0",
    "ExposedPorts": {"4000/tcp": {}, "4001/tcp": {}},
    "Volumes": {"/var/lib/offloader": {}},
    "StopSignal": "SIGTERM",
    "Healthcheck": {"Test": ["CMD", "python", "-c", "pass"]},
}


def verified(*options: str) -> tuple[int, list[str]]:
    """Run the step; return its exit code and its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "dev.deploy_check", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout.splitlines()


def test_without_an_engine_the_process_is_verified() -> None:
    """It says so; the example with data of today passes, seen unready first; SIGTERM ends it."""
    exit_code, lines = verified("--engine", "no-such-engine", "--", "--max-age", "90000")
    assert exit_code == 0, lines
    assert lines[0] == NO_ENGINE
    checks = [line.split()[2] for line in lines if line.startswith("ok ")]
    assert {"was_unready:", "expected_id:", "fresh:", "max_age:", "not_modified:"} <= set(checks)
    assert lines[-1] == "ok    stop: exit code 0 after SIGTERM"


def test_a_broken_config_fails_with_its_problem(tmp_path: Path) -> None:
    """71, and the last lines name file and field; another key's hash is 30 by the gate."""
    broken = shutil.copytree(EXAMPLE, tmp_path / "broken", ignore=shutil.ignore_patterns("data"))
    endpoint = broken / "endpoints" / "customer_usage_summary.yml"
    endpoint.write_text(endpoint.read_text().replace("column: api_calls,", "column: api_call,"))
    exit_code, lines = verified("--process", "--project", str(broken))
    assert exit_code == 71
    assert lines[0] == ("FAIL  the instance ended by itself with exit code 2; its last lines:")
    assert [line for line in lines if "customer_usage_summary.yml" in line]


def test_the_exit_code_is_that_of_the_gate(tmp_path: Path) -> None:
    """A key whose hash is another: the gate's 30, and the process is gone."""
    broken = shutil.copytree(EXAMPLE, tmp_path / "broken", ignore=shutil.ignore_patterns("data"))
    keys = broken / "keys" / "keys.yml"
    keys.write_text(keys.read_text().replace("0ee3d7e3", "00000000"))
    exit_code, lines = verified("--process", "--project", str(broken))
    assert exit_code == 30
    assert "FAIL  endpoint answer: expected HTTP 200; came HTTP 401 unauthorized;" in str(lines)


def test_an_image_is_never_passed_by_the_process() -> None:
    """Who names an image and has no engine gets 72, not the process in its place."""
    exit_code, lines = verified("--engine", "no-such-engine", "--image", "offloader:some")
    assert exit_code == 72
    assert lines == ["FAIL  no container engine answers to verify offloader:some"]


def test_the_data_is_fresh_at_every_hour() -> None:
    """The watermark is the last midnight, or the next one from ten minutes before it on."""
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert fresh_revision(noon) == 1
    assert fresh_revision(noon + timedelta(hours=11, minutes=49)) == 1
    assert fresh_revision(noon + timedelta(hours=11, minutes=51)) == 2
    assert fresh_revision(noon + timedelta(days=100)) == 101
    assert fresh_revision(noon - timedelta(days=100)) == 1


def test_a_wrong_image_has_all_its_problems_told() -> None:
    """User, health check, ports, volume and stop signal; nothing of a right one."""
    assert problems_of(CONFIG) == []
    assert problems_of({}) == [
        "its user is root: expected the number of another, as 10001",
        "it has no health check that runs without a shell: expected CMD [...]",
        "it does not expose 4000/tcp and 4001/tcp",
        "it has no volume at /var/lib/offloader",
    ]
    wrong = {**CONFIG, "User": "0:0", "StopSignal": "SIGKILL"}
    assert problems_of(wrong) == [
        "its user is 0: expected the number of another, as 10001",
        "its stop signal is not SIGTERM: it would end without a drain",
    ]
