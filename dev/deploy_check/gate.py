"""Run deploy-check.sh against an instance, and watch that instance meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from dev.deploy_check.instance import Instance, ended_by_itself
from dev.deploy_check.project import ENDPOINT, QUERY, Project

SCRIPT = Path(__file__).parents[1] / "scripts" / "deploy-check.sh"
UNREADY = "wait  readiness ready: HTTP 503"
LOOK_SECONDS = 0.5
END_SECONDS = 30.0


def run_gate(
    instance: Instance,
    project: Project,
    options: list[str],
    tell: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Check an instance and return the exit code of the gate; `tell` gets each line.

    The snapshot is published once the gate has seen the instance unready. Raises Failed (71) when
    the instance ends meanwhile.
    """
    gate = subprocess.Popen(
        [str(SCRIPT), *_arguments(instance, project), *options],
        env={name: text for name, text in environ.items() if not name.startswith("DEPLOY_CHECK_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    reader = threading.Thread(target=_follow, args=(gate, project, tell), daemon=True)
    reader.start()
    try:
        return _await(gate, instance)
    finally:
        gate.terminate()  # it has ended, or the instance has: then it still writes its summary
        gate.wait(timeout=END_SECONDS)
        reader.join()


def _arguments(instance: Instance, project: Project) -> list[str]:
    return [
        *("--api-url", instance.api_url, "--admin-url", instance.admin_url),
        *("--admin-token-file", str(project.admin_token), "--key-file", str(project.key)),
        *("--endpoint", ENDPOINT, "--query", QUERY, "--snapshot-id", project.snapshot_id),
        "--prove-unready",
    ]


def _await(gate: subprocess.Popen[str], instance: Instance) -> int:
    while True:
        try:
            return gate.wait(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            exit_code = instance.ended()
            if exit_code is not None:
                raise ended_by_itself(instance, exit_code) from None


def _follow(gate: subprocess.Popen[str], project: Project, tell: Callable[[str], None]) -> None:
    assert gate.stdout is not None
    for line in gate.stdout:
        tell(line.rstrip("\n"))
        if line.startswith(UNREADY):
            project.publish()
