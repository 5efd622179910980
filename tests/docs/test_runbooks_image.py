"""The engine's commands of the runbook for images, run where there is a container engine."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import pytest

from tests.container.contained import Contained, contained
from tests.container.engine import IMAGE, NO_ENGINE, Engine, find_engine
from tests.docs.markdown import ROOT
from tests.docs.runbook import Incident, runbooks
from tests.projects import usage_project

PAST_IMAGE = "offloader-before"


@pytest.fixture
def engine() -> Engine:
    found = find_engine()
    if found is None or found.command != "docker":
        pytest.skip(NO_ENGINE)
    return found


def test_rollback_to_previous_image(engine: Engine, tmp_path: Path) -> None:
    """The image that ran before takes over volume, environment and ports, and starts warm."""
    project, name = usage_project(tmp_path / "project", rows=300), f"offloader-{token_hex(4)}"
    engine.build(ROOT, IMAGE)
    engine.run("tag", IMAGE, PAST_IMAGE)
    with contained(engine, IMAGE, project.root) as failing:
        engine.run("rename", failing.name, name)
        try:
            environ = {"CONTAINER": name, "PREVIOUS_IMAGE": PAST_IMAGE}
            here = Incident(runbooks()["Rollback to previous image"], None, environ, tmp_path)
            (command,) = (text for text in here.runbook.commands if text.startswith("docker "))
            command = command.replace(" 4000:4000", " 127.0.0.1::4000")  # the kernel's own port
            done = here.run(command.replace("127.0.0.1:4001:4001", "127.0.0.1::4001"))
            assert done.code == 0, done
            assert done.output.startswith(f"{IMAGE}\n")
            assert engine.run("inspect", "--format", "{{.Config.Image}}", name) == PAST_IMAGE
            assert not (tmp_path / "offloader.env").exists()
            restored = Contained(engine, name)
            restored.wait(restored.is_ready)
            assert restored.events("build_started") == []
        finally:
            engine.tried("rm", "--force", "--volumes", name)
