"""A project that is baked into an image, by the Dockerfile that docs/deployment.md shows."""

from __future__ import annotations

import re
from pathlib import Path
from secrets import token_hex

from tests.container.contained import HARDENED, Contained
from tests.container.engine import Engine
from tests.docs.markdown import ROOT, blocks
from tests.projects import usage_project

PAGE = ROOT / "docs" / "deployment.md"
_FROM = re.compile(r"^FROM \S+$", re.MULTILINE)


def test_an_image_with_its_project_serves(engine: Engine, image: str, tmp_path: Path) -> None:
    """Three lines make it; it runs hardened, with nothing mounted and no variable set."""
    project = usage_project(tmp_path / "project", rows=300)
    (dockerfile,) = (block.text for block in blocks(PAGE) if block.language == "dockerfile")
    (tmp_path / "Dockerfile").write_text(_FROM.sub(f"FROM {image}", dockerfile))
    name = f"offloader-baked-{token_hex(4)}"
    engine.build(tmp_path, name)
    ports = ("--publish", "127.0.0.1::4000", "--publish", "127.0.0.1::4001")
    try:
        engine.run("run", "--detach", "--name", name, *HARDENED, *ports, name)
        container = Contained(engine, name)
        container.wait(container.is_ready)
        key = project.authorization("tenant_1")
        assert container.ask("/v1/endpoints/usage_rows?limit=1", key).status == 200
    finally:
        engine.tried("rm", "--force", "--volumes", name)
        engine.tried("rmi", name)
