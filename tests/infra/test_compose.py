"""The compose example without an engine: what its files say, and that its page says the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.container.engine import Engine
from tests.docs.markdown import blocks
from tests.infra.compose_stack import INFRA, NO_COMPOSE
from tests.infra.granted_by_engines import ADMIN_PORT

FOLDER = INFRA / "compose"
README = FOLDER / "README.md"
OVERLAY = "compose.monitoring.yml"
SERVICES = ("offloader", "prometheus", "grafana")


def read(name: str) -> Any:
    """Return a YAML file of the example."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


@pytest.fixture
def composed(need: Callable[[str], None], tmp_path: Path) -> Any:
    """Both files as compose itself reads them, in a copy that has what the page makes."""
    has_compose = bool(shutil.which("docker")) and (
        Engine("docker").tried("compose", "version").returncode == 0
    )
    need("" if has_compose else NO_COMPOSE)
    copied = Path(shutil.copytree(INFRA, tmp_path / "infra")) / "compose"
    done = subprocess.run(
        ["docker", "compose", "-f", "compose.yml", "-f", OVERLAY, "config", "--format", "json"],
        cwd=copied,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_compose_takes_both_files(composed: Any) -> None:
    """Compose knows every field, and nothing is left of one file by the other."""
    assert composed["services"].keys() == set(SERVICES)
    service = composed["services"]["offloader"]
    assert service["read_only"]
    assert service["stop_grace_period"] == "40s"
    assert {port["host_ip"] for port in _published(composed, "prometheus", "grafana")} == {
        "127.0.0.1"
    }


def test_what_is_mounted_is_there(composed: Any) -> None:
    """Every file that is mounted comes with the example; project and secrets the page makes."""
    root = Path(composed["services"]["offloader"]["volumes"][0]["source"]).parent
    missing = {
        str(Path(mount["source"]).relative_to(root))
        for service in composed["services"].values()
        for mount in service["volumes"]
        if mount["type"] == "bind" and not Path(mount["source"]).exists()
    }
    secrets = {Path(secret["file"]).relative_to(root) for secret in composed["secrets"].values()}
    made = "".join(block.text for block in blocks(README) if block.language == "sh")
    assert missing == {"project"}
    assert all(f"> {secret}\n" in made and f"chmod 0444 {secret}\n" in made for secret in secrets)


def test_monitoring_is_hardened_too() -> None:
    """Prometheus and Grafana run read-only, without rights and root, with a limit and a check."""
    for name in ("prometheus", "grafana"):
        service = read(OVERLAY)["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["user"].startswith("0")
        assert service["mem_limit"] == service["memswap_limit"]
        assert service["healthcheck"]["test"][0] == "CMD"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])


def test_prometheus_scrapes_the_service() -> None:
    """Its config is the one of infra/prometheus, with the service's name and port as target."""
    own, alone = read("monitoring/prometheus.yml"), read("../prometheus/prometheus.yml")
    (job,), (other,) = own["scrape_configs"], alone["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"offloader:{ADMIN_PORT}"]}]
    other["static_configs"] = job["static_configs"]
    assert own == alone
    assert (
        f"127.0.0.1:{ADMIN_PORT}:{ADMIN_PORT}"
        in read("compose.yml")["services"]["offloader"]["ports"]
    )


def test_the_rules_are_where_they_are_looked_for() -> None:
    """The alert rules are mounted beside the config that names them."""
    mounts = _mounts("prometheus")
    (rules,) = read("monitoring/prometheus.yml")["rule_files"]
    assert mounts[f"/etc/prometheus/{rules}"] == "../prometheus/alerts.yml"
    assert "--config.file=/etc/prometheus/prometheus.yml" in _command()
    assert "--storage.tsdb.path=/prometheus" in _command()
    assert mounts["/prometheus"] == "prometheus"


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    """Its data source is the overlay's Prometheus, and its folder of dashboards has the one."""
    (source,) = read("monitoring/datasources.yml")["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert source["isDefault"]
    (provider,) = read("monitoring/dashboards.yml")["providers"]
    mounts = _mounts("grafana")
    assert mounts[f"{provider['options']['path']}/offloader.json"] == "../grafana/dashboard.json"
    assert {path for path in mounts if path.startswith("/etc/grafana/provisioning/")} == {
        "/etc/grafana/provisioning/datasources/offloader.yml",
        "/etc/grafana/provisioning/dashboards/offloader.yml",
    }


def test_the_page_names_what_there_is() -> None:
    """The overlay's line in .env names both files, and the shown ports are those published."""
    text = README.read_text(encoding="utf-8")
    (line,) = re.findall(r"COMPOSE_FILE=(\S+)", text)
    assert line.split(":") == ["compose.yml", OVERLAY]
    shown = set(re.findall(r"`127\.0\.0\.1:(\d+)`", text))
    assert shown == {port.split(":")[1] for port in _ports("prometheus") + _ports("grafana")}


def test_nothing_of_a_copy_is_committed() -> None:
    """Secrets, the project and .env of a copy stay out of a repository."""
    ignored = (FOLDER / ".gitignore").read_text(encoding="utf-8").split()
    assert ignored == [".env", "secrets/", "project/"]


def _published(composed: Any, *names: str) -> list[Any]:
    return [port for name in names for port in composed["services"][name]["ports"]]


def _ports(name: str) -> list[str]:
    return list(read(OVERLAY)["services"][name]["ports"])


def _command() -> list[str]:
    return list(read(OVERLAY)["services"]["prometheus"]["command"])


def _mounts(name: str) -> dict[str, str]:
    """Return what is mounted, by its place in the container."""
    volumes: list[str] = read(OVERLAY)["services"][name]["volumes"]
    return {mount.split(":")[1]: mount.split(":")[0] for mount in volumes}
