"""What a real service says from its start until it is ready: as events, and on a terminal."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from offloader import __version__
from tests import service_process
from tests.http_replies import ask
from tests.projects import UsageProject, usage_project
from tests.service_process import (
    START_SECONDS,
    STOP_SECONDS,
    environment,
    running,
    wait_until,
)

FACTS = ("version", "api", "admin", "workers", "datasets", "endpoints", "revision")


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=30)


def test_the_start_says_what_is_there_and_what_to_try(
    project: UsageProject, tmp_path: Path
) -> None:
    """The example is answered with 200 as soon as the service is ready, which is said once."""
    with running(project.root, tmp_path / "cache") as service:
        service.wait(lambda: service.events("ready"))
        (starting,), (ready,) = service.events("starting"), service.events("ready")
        command = shlex.split(starting["example"].replace("$API_KEY", project.tokens["tenant_0"]))
        assert command[:2] == ["curl", "-H"]
        name, _, key = command[2].partition(": ")
        url = urlsplit(command[3])
        assert f"{url.hostname}:{url.port}" == starting["api"]
        assert service.ask(f"{url.path}?{url.query}", {name: key}).status == 200
        assert 0 < ready["seconds"] < 60
        assert (ready["datasets"], ready["generation"]) == (1, 2)
        assert {name: starting[name] for name in FACTS} == {
            "version": __version__,
            "api": starting["api"],
            "admin": starting["admin"],
            "workers": 2,
            "datasets": 1,
            "endpoints": 2,
            "revision": service.diagnostics()["config_revision"],
        }
        assert (starting["loading"], starting["loading_count"]) == (["usage"], 1)
    assert len(service.events("ready")) == 1


def test_a_warm_start_waits_for_nothing(project: UsageProject, tmp_path: Path) -> None:
    """What the cache held is served, so nothing is loading."""
    with running(project.root, tmp_path / "cache", workers="1"):
        pass
    with running(project.root, tmp_path / "cache", workers="1") as service:
        service.wait(lambda: service.events("ready"))
        assert service.events("starting")[0]["loading"] == []
        assert service.events("ready")[0]["generation"] == 1


def test_who_cannot_be_ready_does_not_say_so(project: UsageProject, tmp_path: Path) -> None:
    """Without a snapshot of a required dataset; as soon as it comes, it is said."""
    hidden = project.manifest_path.with_suffix(".hidden")
    project.manifest_path.rename(hidden)
    with running(project.root, tmp_path / "cache", until="live", workers="1") as service:
        service.wait(lambda: service.events("refresh_failed"))
        assert service.events("ready") == []
        hidden.rename(project.manifest_path)
        service.wait(lambda: service.events("ready"))
        assert service.is_ready()


@contextmanager
def on_a_terminal(project: Path, cache: Path) -> Iterator[list[str]]:
    """Serve with a terminal for standard error; give what it showed, one text a read."""
    outer, inner = pty.openpty()
    environ = environment(project, cache, {"workers": "1", "log_format": ""})
    process = subprocess.Popen(
        [service_process.OFFLOADER, "serve"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    os.set_blocking(outer, False)
    shown: list[str] = []
    try:
        ready = re.compile(" ready .*\n")  # the whole line
        wait_until(lambda: ready.search(_read(outer, shown)), START_SECONDS, lambda: shown)
        yield shown
    finally:
        process.terminate()
        wait_until(lambda: (_read(outer, shown), process.poll() is not None)[1], STOP_SECONDS, list)
        os.close(outer)


def _read(terminal: int, shown: list[str]) -> str:
    with suppress(OSError):  # nothing new, or the other end is closed
        shown.append(os.read(terminal, 65_536).decode())
    return "".join(shown)


def test_a_terminal_shows_a_few_lines_instead(project: UsageProject, tmp_path: Path) -> None:
    """Version, ports and a command to try; then one short line for each event."""
    with on_a_terminal(project.root, tmp_path / "cache") as shown:
        text = "".join(shown).replace("\r\n", "\n")
        lines = text.splitlines()
        assert lines[0] == f"Offloader {__version__}"
        address = re.search(r"^  API    http://(127\.0\.0\.1):(\d+)  2 endpoints", text, re.M)
        assert address is not None
        assert ask((address[1], int(address[2])), "/healthz").status == 200
        assert lines[3] == "  data   1 dataset, loading usage"
        assert lines[4].startswith("  try    curl -H ")
        ready = next(line for line in lines if " ready " in line)
        assert re.fullmatch(r"\d\d:\d\d:\d\d ready seconds=[\d.]+ datasets=1 generation=2", ready)
