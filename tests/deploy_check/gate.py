"""Run deploy-check.sh as a deployment does, and read what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.markdown import ROOT
from tests.service_process import ADMIN_TOKEN

SCRIPT = ROOT / "dev" / "scripts" / "deploy-check.sh"
PARTS = SCRIPT.with_suffix("")
LINE = re.compile(r"(ok   |FAIL |skip |wait ) ([a-z]+) ([a-z_]+): (.+)")
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one run; `summary` is its JSON, None where there is none."""

    exit_code: int
    lines: list[str]
    error: str
    summary: Any

    @property
    def failures(self) -> list[str]:
        """The lines of checks that failed."""
        return [line for line in self.lines if line.startswith("FAIL")]

    @property
    def all_text(self) -> str:
        """Everything that was written anywhere."""
        return "\n".join([*self.lines, self.error, json.dumps(self.summary)])


@dataclass(frozen=True, slots=True)
class Gate:
    """How the gate is called; a folder of its own holds the summary."""

    folder: Path
    environ: Mapping[str, str]

    def check(self, *options: str, **environ: str | None) -> Checked:
        """Run it; options come after those of the environment, None takes a variable away."""
        summary = self.folder / "summary.json"
        summary.unlink(missing_ok=True)
        done = self.run(*options, json=str(summary), **environ)
        lines = done.stdout.decode().splitlines()
        written = summary.read_text() if summary.exists() else ""
        document = json.loads(written) if written else None
        return Checked(done.returncode, lines, done.stderr.decode(), document)

    def run(self, *options: str, **environ: str | None) -> subprocess.CompletedProcess[bytes]:
        """Run it and return what the process left."""
        return subprocess.run(
            [str(SCRIPT), *options],
            env=self.environment(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )

    def environment(self, **environ: str | None) -> dict[str, str]:
        """Return the environment of a run; names are given without their prefix."""
        named = {**self.environ, **environ}
        outer = {
            name: text for name, text in os.environ.items() if not name.startswith("DEPLOY_CHECK_")
        }
        own = {f"DEPLOY_CHECK_{name.upper()}": text for name, text in named.items() if text}
        return {**outer, **own}


def gate_for(folder: Path, api_url: str, admin_url: str, key: str, endpoint: str) -> Gate:
    """Return a gate that is called rightly for an instance with the token of the tests."""
    environ = {
        "api_url": api_url,
        "admin_url": admin_url,
        "admin_token": ADMIN_TOKEN,
        "key": key,
        "endpoint": endpoint,
        "query": "limit=1",
        "ready_timeout": "5",
    }
    return Gate(folder, environ)
