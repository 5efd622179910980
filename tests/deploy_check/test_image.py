"""`make deploy-check` with an engine: the image passes, and a broken one fails with the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.container.engine import Engine
from tests.deploy_check.test_make import verified

# How an image is spoilt: the exit code, and what a line says.
SPOILT = {
    "a package is missing": (
        "USER 0\nRUN rm -r /opt/offloader/lib/python3.12/site-packages/sanic\nUSER 10001:0",
        71,
        "No module named 'sanic'",
    ),
    "it runs as root": ("USER 0", 72, "its user is 0: expected the number of another"),
    "its entry point is wrong": ('ENTRYPOINT ["no-such-program"]', 71, "no-such-program"),
    "it has no health check": ("HEALTHCHECK NONE", 72, "it has no health check"),
    "its health check fails": ('HEALTHCHECK CMD ["false"]', 72, "the health check of the image"),
    "its command is another": ('CMD ["version"]', 71, "exit code 0; its last lines:"),
}


def test_the_image_passes(engine: Engine, image: str) -> None:
    """Hardened, with the example's data of today; no container of it is left."""
    exit_code, lines = verified("--engine", engine.command, "--image", image)
    assert exit_code == 0, lines
    assert lines[0] == f"ok    image config: {image}, by {engine.command}"
    assert lines[-2:] == [
        "ok    image health_check: it passes inside the container",
        "ok    stop: exit code 0 after SIGTERM",
    ]
    left = engine.run("ps", "--all", "--quiet", "--filter", "name=offloader-deploy-check-")
    assert left == ""


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_image_fails_with_its_cause(
    engine: Engine, image: str, tmp_path: Path, name: str
) -> None:
    """70 to 73 before or after the gate, and a line that names what is wrong."""
    lines, exit_code, words = SPOILT[name]
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\n{lines}\n")
    spoilt = f"{image}-spoilt"
    engine.build(tmp_path, spoilt)
    try:
        found, told = verified("--engine", engine.command, "--image", spoilt)
    finally:
        engine.run("image", "rm", "--force", spoilt)
    assert found == exit_code, told
    assert [line for line in told if words in line], told
