"""The example with docker run as a customer has it: its folder copied, its README followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.container.contained import Contained
from tests.container.engine import Engine
from tests.docs.runbook import Incident
from tests.docs.running import free_ports
from tests.infra.compose_stack import ROWS, TENANT, TOTALS, copied_infra, followed, make_secrets
from tests.projects import UsageProject, usage_project

PLACE = "docker-run"


@dataclass(slots=True, eq=False)
class Single:
    """The container, up; `folder` is the copy of infra, `readme` where its page goes on."""

    engine: Engine
    folder: Path
    project: UsageProject
    environ: Mapping[str, str]
    api: tuple[str, int]
    admin: tuple[str, int]

    @property
    def name(self) -> str:
        """The container's name."""
        return self.environ["CONTAINER"]

    @property
    def container(self) -> Contained:
        """Its container, as it is now."""
        return Contained(self.engine, self.name)

    def follow(self, example: str, place: str = PLACE, **environ: str) -> Incident:
        """Return the README of an example, to be followed in a folder of the copy."""
        told = {**self.environ, **environ}
        return followed(self.folder, example, told, self.admin[1], place)

    def served(self) -> str:
        """Return the snapshot that answers."""
        reply = self.container.ask(TOTALS, self.project.authorization(TENANT))
        assert reply.status == 200, reply
        return reply.headers["offloader-snapshot-id"]


@contextmanager
def single(engine: Engine, image: str, folder: Path) -> Iterator[Single]:
    """Run the example as its README says, with another project; remove it at the end."""
    api, admin = free_ports()
    name = f"compose-single-{token_hex(4)}"
    copied = copied_infra(folder)
    environ = {
        "OFFLOADER_IMAGE": image,
        "CONTAINER": name,
        "CACHE_VOLUME": name,
        "API_ADDRESS": f"127.0.0.1:{api}",
        "ADMIN_ADDRESS": f"127.0.0.1:{admin}",
    }
    project = usage_project(copied / PLACE / "project", rows=ROWS)
    made = Single(engine, copied, project, environ, ("127.0.0.1", api), ("127.0.0.1", admin))
    try:
        readme = made.follow(PLACE)
        readme.leave_out("cp -R ")
        make_secrets(readme, copied / PLACE)
        readme.do("./run.sh")
        readme.do("ADMIN=")
        yield made
    finally:
        engine.tried("rm", "--force", name, f"{name}-failed")
        engine.tried("volume", "rm", name)
