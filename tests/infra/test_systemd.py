"""The unit for systemd: what systemd says of it, and the service run as it says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from offloader.settings.settings import read_settings
from tests.infra.container_spec import LEAST_GRACE_SECONDS
from tests.infra.sandbox import why_no_sandbox
from tests.infra.unit_file import UNIT, analyze, read_unit, unit_environment, why_no_systemd
from tests.projects import UsageProject, usage_project
from tests.service_process import ADMIN_TOKEN, OFFLOADER, Running, running

Need = Callable[[str], None]
# Of 10; a web service without any of this has 9.6.
MOST_EXPOSURE = 1.5
HARDENED = {
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "ProtectHome": "yes",
    "ProtectSystem": "strict",
    "StateDirectory": "offloader",
}
# Well below the unit's interval of looks at the project.
RELOAD_SECONDS = 15.0
PROJECT, VENV = "/etc/offloader/project", "/opt/offloader/bin/offloader"


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    return read_unit()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit in a folder of its own, with the service where it is here."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text(encoding="utf-8").replace(VENV, OFFLOADER), encoding="utf-8")
    return path


def test_the_unit_is_hardened(unit: dict[str, list[str]]) -> None:
    """It has no privileges, a user of its own, and may write to its state alone."""
    assert {name: unit[name] for name in HARDENED} == {
        name: [text] for name, text in HARDENED.items()
    }
    assert "ReadWritePaths" not in unit


def test_systemd_takes_the_unit(installed: Path, need: Need) -> None:
    """systemd-analyze verify knows every directive and finds every command."""
    need(why_no_systemd())
    assert analyze("verify", str(installed)) == (0, "")
    installed.write_text(installed.read_text(encoding="utf-8").replace("KillMode", "KilMode"))
    assert "KilMode" in analyze("verify", str(installed))[1]


def test_little_is_exposed(installed: Path, need: Need) -> None:
    """systemd-analyze security gives it at most 1.5 of 10."""
    need(why_no_systemd())
    code, said = analyze("security", "--offline=true", str(installed))
    assert code == 0, said
    found = re.search(r"Overall exposure level for offloader\.service: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= MOST_EXPOSURE


def test_a_stop_is_mains_own(unit: dict[str, list[str]]) -> None:
    """Main alone gets SIGTERM, with the time to drain; only then is anything killed."""
    assert (unit["KillMode"], unit["KillSignal"]) == (["mixed"], ["SIGTERM"])
    assert int(unit["TimeoutStopSec"][0]) >= LEAST_GRACE_SECONDS


def test_it_comes_back_unless_it_cannot(unit: dict[str, list[str]]) -> None:
    """Whatever ends it, it is started again, but for a wrong configuration; a build dies alone."""
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == (["always"], ["2"])
    assert unit["OOMPolicy"] == ["continue"]


def test_the_environment_is_right(unit: dict[str, list[str]], tmp_path: Path) -> None:
    """Every variable exists; the state lies where systemd makes it, the token is a credential."""
    (tmp_path / "admin_token").write_text(ADMIN_TOKEN)
    environ = unit_environment(unit, {"%d": str(tmp_path), "%S": "/var/lib"})
    settings, warnings = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=2**32)
    assert warnings == ()
    assert settings.cache_dir == Path("/var/lib") / unit["StateDirectory"][0] / "cache"
    assert settings.admin_token == ADMIN_TOKEN
    assert settings.admin_host == "127.0.0.1"
    name, _, source = unit["LoadCredential"][0].partition(":")
    assert (name, source) == ("admin_token", "/etc/offloader/admin_token")


def test_the_service_runs_like_that(unit: dict[str, list[str]], tmp_path: Path, need: Need) -> None:
    """ExecStart, with the unit's variables and what it denies taken away: it builds and serves.

    SIGHUP, which a reload sends, has the project looked at long before its interval; SIGTERM to
    main alone ends all.
    """
    need(why_no_systemd() or why_no_sandbox())
    assert unit["ExecStart"] == [f"{VENV} serve"]
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    project = usage_project(tmp_path / "project", rows=60)
    with running(project.root, tmp_path, under=_sandbox(), **_variables(unit, tmp_path)) as service:
        _check_served(service, project)
        assert (tmp_path / "state" / "offloader" / "cache").is_dir()
        _change(project.root / "endpoints" / "usage_by_account.yml")
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda: _shown_version(service, project) == 2, RELOAD_SECONDS)
        assert service.end(seconds=float(unit["TimeoutStopSec"][0])) == 0


def test_the_sandbox_denies(need: Need) -> None:
    """What the unit denies is really denied, so that the test above tells something."""
    need(why_no_systemd() or why_no_sandbox())
    tried = "import socket, os\nfor f in (lambda: socket.socket(socket.AF_NETLINK), "
    tried += "lambda: os.chown('.', 0, 0)):\n    try: f()\n    except PermissionError: print(1)"
    done = subprocess.run(
        [*_sandbox(), sys.executable, "-c", tried], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n1\n", done.stderr


def _sandbox() -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.infra.sandbox", str(UNIT))


def _variables(unit: dict[str, list[str]], folder: Path) -> dict[str, str]:
    """Return the unit's variables with its places in a folder, as `running` takes them."""
    (folder / "credentials").mkdir()
    (folder / "credentials" / "admin_token").write_text(f"{ADMIN_TOKEN}\n")
    places = {
        "%d": str(folder / "credentials"),
        "%S": str(folder / "state"),
        PROJECT: str(folder / "project"),
    }
    environ = unit_environment(unit, places)
    ours = {name.removeprefix("OFFLOADER_").lower(): text for name, text in environ.items()}
    del ours["pythondontwritebytecode"]
    return {**ours, "admin_token": "", "drain_seconds": "0"}


def _change(endpoint: Path) -> None:
    document = yaml.safe_load(endpoint.read_text(encoding="utf-8"))
    endpoint.write_text(yaml.safe_dump({**document, "version": 2}), encoding="utf-8")


def _shown_version(service: Running, project: UsageProject) -> int:
    reply = service.ask("/v1/endpoints/usage_by_account", project.authorization("tenant_0"))
    return int(reply.document["meta"]["version"])


def _check_served(service: Running, project: UsageProject) -> None:
    assert _shown_version(service, project) == 1
    assert service.diagnostics()["processes"]["workers"]
    assert service.ask("/live").status == 404
