"""One of the two instances: `offloader serve` on an address of its own, one release at a time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.http_replies import Reply, ask
from tests.service_process import Running, running

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "customer-analytics"
# Its summary of everything: a request that any release of the project answers.
SUMMARY = "/v1/endpoints/customer_usage_summary"
TOKEN = "demo-acme"
_VERSION = re.compile(r"(?m)^version: \d+$")


@dataclass(slots=True, eq=False)
class Instance:
    """A running instance; it keeps its port, its cache and its copy of the project."""

    name: str
    host: str
    folder: Path
    settings: dict[str, str]
    port: int = 0
    _service: Running | None = None
    _stack: ExitStack | None = None

    @property
    def address(self) -> str:
        """`host:port` of the API."""
        return f"{self.host}:{self.port}"

    def start(self, version: int) -> None:
        """Start a release, whose endpoints say this version, and wait until it is ready."""
        for path in (self.folder / "project" / "endpoints").iterdir():
            path.write_text(_VERSION.sub(f"version: {version}", path.read_text(), count=1))
        settings = {"api_host": self.host, "api_port": str(self.port), **self.settings}
        stack = ExitStack()
        started = running(self.folder / "project", self.folder / "cache", **settings)
        self._service = stack.enter_context(started)
        self._stack = stack
        self.port = int(self._service.api_url.rpartition(":")[2])

    def stop(self) -> None:
        """Send SIGTERM and wait for exit code 0 and for the last of its processes."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            stack.close()

    def ask(self, target: str = SUMMARY, token: str = TOKEN) -> Reply:
        """Ask the API of this instance, past nginx."""
        return ask((self.host, self.port), target, {"Authorization": f"Bearer {token}"})

    def check(self, version: int) -> None:
        """Raise RuntimeError unless it is live, ready and answers as this release."""
        reply, service = self.ask(), self._service
        assert service is not None
        told = reply.document["meta"]["version"] if reply.status == 200 else None
        if told != version or not (service.is_live() and service.is_ready()):
            raise RuntimeError(f"{self.name} answered {reply.status}, version {told}")


@contextmanager
def two_instances(
    folder: Path, data: Path, settings: dict[str, str]
) -> Iterator[tuple[Instance, Instance]]:
    """Start two instances of the example over the rows in `data`; stop what still runs.

    Each has an address of its own, as two machines have: there no other program takes the port
    while an instance is away.
    """
    made = []
    for name, host in (("a", "127.0.0.2"), ("b", "127.0.0.3")):
        project = folder / name / "project"
        ignored = shutil.ignore_patterns("data", "__pycache__")
        shutil.copytree(EXAMPLE, project, ignore=ignored)
        shutil.copytree(data, project / "data")
        made.append(Instance(name, host, folder / name, settings))
    first, second = made
    try:
        first.start(1)
        second.start(1)
        yield first, second
    finally:
        try:
            first.stop()
        finally:
            second.stop()
