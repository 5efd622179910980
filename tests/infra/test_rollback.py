"""The rollback to the previous image, step by step as its page says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.container.engine import Engine
from tests.docs.runbook import Incident
from tests.infra.compose_stack import PATIENCE_SECONDS, Stack
from tests.infra.single_container import PLACE, single
from tests.service_process import wait_until

PREVIOUS_VERSION = "0.0.9"
ANSWERS = 50
# The same build under another version: what was compiled of it is compiled again.
_PREVIOUS = """
FROM {image}
USER 0
RUN ["python", "-c", "import offloader, pathlib, py_compile; \\
path = pathlib.Path(offloader.__file__); \\
path.write_text('__version__ = \\"{version}\\"'); \\
py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"]
USER 10001:0
"""


@pytest.fixture(scope="module")
def previous(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tag of an image of the same build that says it is another version."""
    folder, tag = tmp_path_factory.mktemp("previous"), f"{image}-{token_hex(4)}"
    text = _PREVIOUS.format(image=image, version=PREVIOUS_VERSION)
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    engine.build(folder, tag)
    yield tag
    engine.tried("rmi", tag)


@pytest.fixture
def pinned(stack: Stack) -> Iterator[str]:
    """The snapshot that is served, pinned until the test ends and the image is as before."""
    path = stack.folder / "compose" / ".env"
    before = path.read_text(encoding="utf-8")
    stack.engine.run("exec", stack.name, "offloader", "snapshot", "pin", "usage")
    yield stack.served()
    assert path.read_text(encoding="utf-8").startswith(before)
    path.write_text(before, encoding="utf-8")
    stack.compose("up", "--detach")
    stack.container.wait(stack.container.is_ready, PATIENCE_SECONDS)
    stack.engine.run("exec", stack.name, "offloader", "snapshot", "unpin", "usage")


def test_with_compose(
    stack: Stack, previous: str, pinned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing fails, and nobody is refused but while one ends and the other starts; pins stay."""
    page = stack.follow("rollback", PREVIOUS_IMAGE=previous, DATASET="usage")
    with stack.callers() as asking:
        _prepare(page, pinned)
        wait_until(
            lambda: asking.answered() >= ANSWERS, PATIENCE_SECONDS, lambda: asking.outcomes[-3:]
        )
        page.do('echo "OFFLOADER_IMAGE=')
        wait_until(asking.is_answered_again, PATIENCE_SECONDS, lambda: asking.outcomes[-3:])
    _say(capsys, "compose", asking.gap_seconds())
    assert asking.failed() == []
    assert 0 < asking.gap_seconds() < PATIENCE_SECONDS
    page.leave_out("docker stop ")
    _look(page, pinned)
    assert stack.container.events("build_started") == []
    page.do("docker exec")


def test_with_docker_run(engine: Engine, image: str, previous: str, tmp_path: Path) -> None:
    """The failed container is kept; the previous image takes its ports and volume, and is warm."""
    with single(engine, image, tmp_path) as here:
        engine.run("exec", here.name, "offloader", "snapshot", "pin", "usage")
        page = here.follow("rollback", PLACE, PREVIOUS_IMAGE=previous, DATASET="usage")
        _prepare(page, "s0001")
        page.leave_out('echo "OFFLOADER_IMAGE=')
        page.do("docker stop ")
        _look(page, "s0001")
        assert engine.run("inspect", "--format", "{{.Config.Image}}", here.name) == previous
        assert here.served() == "s0001"
        assert here.container.events("build_started") == []
        failed = engine.run("inspect", "--format", "{{.State.Status}}", f"{here.name}-failed")
        assert failed == "exited"


def _prepare(page: Incident, served: str) -> None:
    page.leave_out("export CONTAINER=")
    page.do("docker image inspect")
    assert f"{served} by " in page.do("docker exec")


def _look(page: Incident, served: str) -> None:
    """Take the last steps: ready, the version that was meant, and the pin as it was."""
    told = page.do("ADMIN=")
    assert f"offloader {PREVIOUS_VERSION}" in told
    assert f"{served} by " in told


def _say(capsys: pytest.CaptureFixture[str], where: str, seconds: float) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\nimage change with {where}: nobody listened for {seconds:.1f} s\n")
