"""An instance that an operator acts upon, and the callers who see what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.http_replies import Reply, ask
from tests.projects import (
    UsageProject,
    publish,
    usage_dataset,
    usage_project,
    usage_table,
    write_yaml,
)
from tests.service_process import ADMIN_TOKEN, OFFLOADER, Running
from tests.web.served import PLAIN, newest_first, rows_of

ROWS = 60
NEVER = "1000"  # seconds between looks: only actions make the reloader look
TOLD_SECONDS = 60.0
_AUDIT = ("by", "action", "dataset", "from", "to", "result", "reason", "accept")
_HEADERS = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}


@dataclass(slots=True, eq=False)
class Instance:
    """A project whose snapshot `s000n` holds calls times n, and the service that serves it."""

    project: UsageProject
    cache: Path
    number: int = 1
    service: Running = field(init=False)

    def publish_next(self) -> str:
        """Publish a newer snapshot and return its id."""
        self.number += 1
        snapshot_id = f"s{self.number:04d}"
        publish(self.project, usage_table(ROWS, factor=self.number), snapshot_id)
        return snapshot_id

    def serve_next(self) -> str:
        """Publish a newer snapshot, have it served, and return its id."""
        snapshot_id = self.publish_next()
        assert self.act("refresh")[::3] == ("done", snapshot_id)
        return snapshot_id

    def post(self, kind: str, **body: object) -> Reply:
        """Ask for an action and return the answer."""
        raw = json.dumps(body).encode() if body else None
        return ask(self.service.admin, f"/datasets/usage/{kind}", _HEADERS, "POST", raw)

    def act(self, kind: str, **body: object) -> tuple[Any, ...]:
        """Ask for an action; return how it ended: outcome, code, and what was served, then, now."""
        document = self.post(kind, **body).document
        return tuple(document[name] for name in ("outcome", "code", "from", "to"))

    def reply(self) -> Reply:
        """Return what a caller gets, all of it of one snapshot."""
        key = self.project.authorization("tenant_0")
        reply = self.service.ask(f"{PLAIN}?limit=100", key)
        assert reply.status == 200, reply
        number = int(reply.headers["offloader-snapshot-id"].removeprefix("s"))
        assert reply.document["data"] == newest_first(rows_of(0, ROWS, number))
        return reply

    def served_id(self) -> str:
        """Return the id of the snapshot whose rows a caller gets."""
        return self.reply().headers["offloader-snapshot-id"]

    def told(self) -> Any:
        """Return what diagnostics say of the dataset."""
        return self.service.diagnostics()["datasets"]["usage"]

    def await_told(self, condition: Callable[[Any], object]) -> None:
        """Wait until diagnostics say something: the reloader tells a moment after it acted."""
        self.service.wait(lambda: condition(self.told()), TOLD_SECONDS)

    def audits(self) -> list[tuple[Any, ...]]:
        """Return the audit lines so far."""
        lines = self.service.events("audit")
        return [tuple(line[name] for name in _AUDIT) for line in lines]

    def part_inodes(self) -> dict[str, int]:
        """Return the inode of every part's file."""
        folder = self.cache / "segments" / "usage"
        return {path.name: path.stat().st_ino for path in folder.iterdir()}

    def command(self, *words: str) -> tuple[int, str, str]:
        """Run `offloader snapshot`; return its exit code and what it printed."""
        done = subprocess.run(
            [OFFLOADER, "snapshot", *words, "--admin-url", self.service.admin_url],
            env={**os.environ, "OFFLOADER_ADMIN_TOKEN": ADMIN_TOKEN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def new_instance(folder: Path, pin: str | None = None) -> Instance:
    """Write a project with the snapshot s0001, pinned by its config when asked to."""
    project = usage_project(folder / "project", rows=ROWS)
    if pin is not None:
        write_yaml(project.root / "datasets" / "usage.yml", {**usage_dataset(), "pin": pin})
    return Instance(project, folder / "cache")
