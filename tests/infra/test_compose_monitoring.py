"""The overlay in an engine: Prometheus scrapes the service, Grafana can read what it is given.

Images of Prometheus and Grafana are stood in for: this machine's Prometheus in a container, and for
Grafana the service's own image, which looks at the mounts as Grafana's user does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.container.engine import Engine
from tests.docs.running import free_ports
from tests.http_replies import ask
from tests.infra.compose_stack import PATIENCE_SECONDS, Stack
from tests.infra.test_alerts import RULES
from tests.infra.tools import need_prometheus
from tests.service_process import wait_until

_FILES = ("compose.monitoring.yml", "monitoring.changes.yml")
_DOCKERFILE = """
FROM python:3.12-slim
RUN install -d -o 65534 -g 65534 /prometheus
COPY --chmod=755 prometheus wget /bin/
ENTRYPOINT ["/bin/prometheus"]
"""
# The health check's words, as the image's own wget takes them.
_WGET = """#!/usr/local/bin/python
import sys
import urllib.request

assert sys.argv[1:-1] == ["-q", "-O", "/dev/null"]
urllib.request.urlopen(sys.argv[-1], timeout=4)
"""
_CHANGES = """
services:
  prometheus:
    image: {prometheus}
    ports: !override ["127.0.0.1:{port}:9090"]
  grafana:
    image: {grafana}
    ports: !reset []
"""
_LOOK = """
import json, os, pathlib, urllib.request
etc = pathlib.Path("/etc/grafana")
print(json.dumps({
    "files": sorted(str(p.relative_to(etc)) for p in etc.rglob("*.*") if p.read_text()),
    "title": json.loads((etc / "dashboards/offloader.json").read_text())["title"],
    "password": len(pathlib.Path("/run/secrets/grafana_password").read_text().strip()),
    "source": urllib.request.urlopen("http://prometheus:9090/-/ready", timeout=4).status,
    "user": [os.getuid(), os.getgid()],
}))
"""


@dataclass(frozen=True, slots=True)
class Monitored:
    """The overlay, up; `prometheus` is where it answers."""

    stack: Stack
    prometheus: tuple[str, int]

    def value(self, expression: str) -> str | None:
        """Return the one value of an expression; None while there is none."""
        found = self.api(f"query?{urlencode({'query': expression})}")["result"]
        return found[0]["value"][1] if found else None

    def api(self, path: str) -> Any:
        """Return the data of an answer of Prometheus."""
        reply = ask(self.prometheus, f"/api/v1/{path}")
        assert reply.status == 200, reply
        return json.loads(reply.body)["data"]


@pytest.fixture(scope="module")
def monitored(
    engine: Engine,
    image: str,
    stack: Stack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Monitored]:
    need_prometheus()
    stand_in = f"compose-prometheus-{token_hex(4)}"
    _build(engine, stand_in, tmp_path_factory.mktemp("prometheus"))
    port, _ = free_ports()
    folder = stack.folder / "compose"
    changes = _CHANGES.format(prometheus=stand_in, grafana=image, port=port)
    (folder / _FILES[1]).write_text(changes, encoding="utf-8")
    _scrape_often(folder / "monitoring" / "prometheus.yml")
    page = stack.follow("compose", *_FILES)
    for start in ("cp -R ", "mkdir ", "docker compose up", "docker compose exec"):
        page.leave_out(start)
    page.do("head -c 32 /dev/urandom")
    command = page.runbook.commands[page.done].strip()
    assert command == "docker compose up --detach --wait"
    done = page.run(f"{command} offloader prometheus")
    assert done.code == 0, done
    yield Monitored(stack, ("127.0.0.1", port))
    page.run("docker compose rm --stop --force prometheus grafana")
    # What the stack's own end does not know of.
    engine.tried("volume", "rm", f"{stack.name}_prometheus", f"{stack.name}_grafana")
    engine.tried("rmi", stand_in)


def test_prometheus_scrapes_and_has_the_rules(monitored: Monitored) -> None:
    """One target, the service by its name, up; every rule is loaded and fires nothing critical."""
    wait_until(
        lambda: monitored.value('up{job="offloader"}') == "1",
        PATIENCE_SECONDS,
        lambda: monitored.api("targets"),
    )
    (target,) = monitored.api("targets")["activeTargets"]
    assert target["labels"] == {"instance": "offloader:4001", "job": "offloader"}
    assert target["lastError"] == ""
    wait_until(lambda: monitored.value("offloader_ready") == "1", PATIENCE_SECONDS, lambda: target)
    names = {rule["name"] for group in monitored.api("rules")["groups"] for rule in group["rules"]}
    assert names == RULES.keys()


def test_it_stores_in_its_volume_alone(monitored: Monitored, engine: Engine) -> None:
    """Prometheus runs as its own user on a read-only root, healthy by the overlay's check."""
    state = json.loads(engine.run("inspect", f"{monitored.stack.name}-prometheus-1"))[0]
    assert state["State"]["Health"]["Status"] == "healthy"
    assert state["HostConfig"]["ReadonlyRootfs"]
    assert state["Config"]["User"] == "65534:65534"


def test_grafana_can_read_all_that_it_is_given(monitored: Monitored) -> None:
    """As Grafana's user: what is provisioned, the dashboard, its password; Prometheus answers."""
    page = monitored.stack.follow("compose", *_FILES)
    done = page.run(
        f"docker compose run --rm --no-deps --quiet-pull --entrypoint python grafana -c '{_LOOK}'"
    )
    assert done.code == 0, done
    told = json.loads(done.output.splitlines()[0])
    assert told == {
        "files": [
            "dashboards/offloader.json",
            "provisioning/dashboards/offloader.yml",
            "provisioning/datasources/offloader.yml",
        ],
        "title": "Offloader",
        "password": 64,
        "source": 200,
        "user": [472, 0],
    }


def _build(engine: Engine, tag: str, folder: Path) -> None:
    """Build the stand-in for Prometheus from the one of this machine."""
    (folder / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    (folder / "wget").write_text(_WGET, encoding="utf-8")
    shutil.copyfile(str(shutil.which("prometheus")), folder / "prometheus")
    engine.build(folder, tag)


def _scrape_often(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("15s", "1s"), encoding="utf-8")
