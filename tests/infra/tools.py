"""Prometheus and promtool of this machine; without them a test says so and is skipped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT

PROMETHEUS_FOLDER = ROOT / "infra" / "prometheus"
DASHBOARD = ROOT / "infra" / "grafana" / "dashboard.json"
PROMTOOL_SECONDS = 60.0
NAMES = ("prometheus", "promtool")


def missing() -> list[str]:
    """Return which of the two are not installed."""
    return [name for name in NAMES if shutil.which(name) is None]


def why_skipped() -> str:
    """Return what to install; empty when nothing is missing."""
    names = missing()
    return f"there is no {' and no '.join(names)} here: install Prometheus" if names else ""


def need_prometheus() -> None:
    """Skip the test that calls this when Prometheus is not installed."""
    reason = why_skipped()
    if reason:
        pytest.skip(reason)


def promtool(*words: str, sent: bytes = b"", folder: Path = PROMETHEUS_FOLDER) -> tuple[int, str]:
    """Run promtool in a folder; return its exit code and all that it printed."""
    need_prometheus()
    done = subprocess.run(
        ["promtool", *words],
        cwd=folder,
        input=sent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PROMTOOL_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode()
