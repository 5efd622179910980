"""A real Prometheus over a real service: its config is the shipped one, with another target."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.http_replies import ask
from tests.infra.tools import PROMETHEUS_FOLDER, need_prometheus
from tests.service_process import wait_until

INTERVAL = "250ms"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_LISTENING = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
_TROUBLE = re.compile(r"level=(warn|error)", re.IGNORECASE)
# Its own words for the signal that ends it.
_IS_ENDING = "Received SIGTERM"


@dataclass(slots=True, eq=False)
class Prometheus:
    """A running Prometheus; `lines` are those of its log so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int | None:
        """Where it answers; None before it says so."""
        found = (_LISTENING.search(line) for line in self.lines)
        return next((int(match[1]) for match in found if match), None)

    def wait(self, condition: Any, seconds: float = START_SECONDS) -> None:
        """Poll until a condition holds; fail at the deadline with the log."""
        wait_until(condition, seconds, lambda: self.lines)

    def api(self, path: str, **params: str) -> Any:
        """Return the data of an answer of its HTTP API; fail on an error or a warning."""
        assert self.port is not None
        query = f"?{urlencode(params)}" if params else ""
        reply = ask(("127.0.0.1", self.port), f"/api/v1/{path}{query}")
        document = json.loads(reply.body)
        assert (document["status"], document.get("warnings", [])) == ("success", []), document
        return document["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each series of an instant query."""
        found = self.api("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def value(self, expression: str) -> float | None:
        """Return the one value of an expression; None while there is none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def is_ready(self) -> bool:
        """Tell whether it serves; fail when it has ended."""
        assert self.process.poll() is None, self.lines
        return any("Server is ready" in line for line in self.lines)

    def trouble(self) -> list[str]:
        """Return the warnings and errors of its log, but for its end."""
        found = (line for line in self.lines if _TROUBLE.search(line))
        return [line for line in found if _IS_ENDING not in line]


@contextmanager
def prometheus(folder: Path, admin: tuple[str, int]) -> Iterator[Prometheus]:
    """Run Prometheus until the block ends; `admin` is the target: a service's admin port."""
    need_prometheus()
    config = yaml.safe_load((PROMETHEUS_FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = dict.fromkeys(config["global"], INTERVAL)
    config["rule_files"] = [str(PROMETHEUS_FOLDER / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": ["{}:{}".format(*admin)]}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'series'}",
            "--web.listen-address=127.0.0.1:0",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Prometheus(process)
    reader = threading.Thread(target=_read_lines, args=(running,), daemon=True)
    reader.start()
    try:
        running.wait(running.is_ready)
        yield running
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0, running.lines
    finally:
        process.kill()
        process.wait()
        reader.join(STOP_SECONDS)


def _read_lines(running: Prometheus) -> None:
    assert running.process.stderr is not None
    with running.process.stderr as stream:
        for line in stream:
            running.lines.append(line.rstrip("\n"))
