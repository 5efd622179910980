"""The compose example as a customer has it: its folder copied, its README followed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.container.contained import Contained
from tests.container.engine import NO_ENGINE, Engine, find_engine
from tests.docs.markdown import ROOT
from tests.docs.runbook import Incident, Runbook
from tests.docs.running import free_ports
from tests.infra.asking import Asking, asking
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import ADMIN_TOKEN

INFRA = ROOT / "infra"
ROWS = 300
TOTALS = "/v1/endpoints/usage_by_account"
TENANT = "tenant_0"
# For what takes a second or three on an idle machine.
PATIENCE_SECONDS = 60.0
NO_COMPOSE = "docker has no command `compose`: install its plugin"
# What a test changes of the example: only names that other runs have, too.
_CHANGES = """
services:
  offloader:
    container_name: {name}
    ports: !override ["127.0.0.1:{api}:4000", "127.0.0.1:{admin}:4001"]
"""


def why_no_compose() -> str:
    """Return what is missing to run the compose example; empty when nothing is."""
    found = find_engine()
    if found is None or found.command != "docker":
        return NO_ENGINE
    return "" if found.tried("compose", "version").returncode == 0 else NO_COMPOSE


@dataclass(slots=True, eq=False)
class Stack:
    """The example, up; `folder` is the copy of infra."""

    engine: Engine
    name: str
    folder: Path
    project: UsageProject
    api: tuple[str, int]
    admin: tuple[str, int]
    published: int = 1

    @property
    def container(self) -> Contained:
        """Its container, as it is now."""
        return Contained(self.engine, self.name)

    def follow(self, example: str, *files: str, **environ: str) -> Incident:
        """Return the README of an example, to be followed in the folder of compose.yml.

        `files` are compose files beside the example's own.
        """
        names = ("compose.yml", "changes.yml", *files)
        told = {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": ":".join(names),
            "CONTAINER": self.name,
            **environ,
        }
        return followed(self.folder, example, told, self.admin[1])

    def compose(self, *words: str) -> str:
        """Run a command of compose on the example; return what it prints."""
        done = self.follow("compose").run(f"docker compose {' '.join(words)}")
        assert done.code == 0, done
        return done.output

    def callers(self) -> AbstractContextManager[Asking]:
        """Ask the API port until the block ends."""
        return asking(self.api, TOTALS, self.project.authorization(TENANT))

    def publish(self) -> str:
        """Publish the next snapshot and wait until it answers; return its id."""
        self.published += 1
        snapshot_id = f"s{self.published:04}"
        publish(self.project, usage_table(ROWS, factor=self.published), snapshot_id)
        self.engine.run("exec", self.name, "offloader", "snapshot", "refresh", "usage")
        assert self.served() == snapshot_id
        return snapshot_id

    def served(self) -> str:
        """Return the snapshot that answers."""
        reply = self.container.ask(TOTALS, self.project.authorization(TENANT))
        assert reply.status == 200, reply
        return reply.headers["offloader-snapshot-id"]


@contextmanager
def stacked(engine: Engine, image: str, folder: Path) -> Iterator[Stack]:
    """Bring the example up as its README says, with another project; remove it at the end."""
    api, admin = free_ports()
    name = f"compose-{token_hex(4)}"
    copied = copied_infra(folder)
    compose = copied / "compose"
    changes = _CHANGES.format(name=name, api=api, admin=admin)
    (compose / "changes.yml").write_text(changes, encoding="utf-8")
    (compose / ".env").write_text(f"OFFLOADER_IMAGE={image}\n", encoding="utf-8")
    project = usage_project(compose / "project", rows=ROWS)
    stack = Stack(engine, name, copied, project, ("127.0.0.1", api), ("127.0.0.1", admin))
    try:
        readme = stack.follow("compose")
        readme.leave_out("cp -R ")
        make_secrets(readme, compose)
        readme.do("docker compose up")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "1")


def copied_infra(folder: Path) -> Path:
    """Copy the examples into a folder that no repository is around; return the copy."""
    return Path(shutil.copytree(INFRA, folder / "infra"))


def followed(
    folder: Path, example: str, environ: Mapping[str, str], admin_port: int, place: str = "compose"
) -> Incident:
    """Return the README of one example in a copy, its commands to be run in `place`'s folder."""
    text = (folder / example / "README.md").read_text(encoding="utf-8")
    text = text.replace("127.0.0.1:4001", f"127.0.0.1:{admin_port}")
    return Incident(Runbook(example, text), None, environ, folder / place)


def make_secrets(readme: Incident, folder: Path) -> None:
    """Make the admin token as the README says, then write the one that tests know."""
    readme.do("mkdir -m 0700 secrets")
    token = folder / "secrets" / "admin_token"
    made = token.read_text(encoding="utf-8")
    assert len(made.strip()) == 64
    assert token.stat().st_mode & 0o777 == 0o444
    assert token.parent.stat().st_mode & 0o777 == 0o700
    token.chmod(0o644)
    token.write_text(f"{ADMIN_TOKEN}\n", encoding="utf-8")
    token.chmod(0o444)
