"""Follow a runbook: its signals are looked for, its commands are run, in the order of the page."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.docs.markdown import ROOT, blocks_of
from tests.docs.signals import Signal, read_signals
from tests.service_process import ADMIN_TOKEN, OFFLOADER, Running

PAGE = ROOT / "docs" / "operations" / "runbooks.md"
SEE_SECONDS = 60.0
COMMAND_SECONDS = 60.0
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Runbook:
    """One section of the page: its text, its tables of signals and its commands, in order."""

    title: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The shell blocks."""
        return [block.text for block in blocks_of(self.text) if block.language == "sh"]

    @property
    def signals(self) -> list[list[Signal]]:
        """The tables of signals."""
        return read_signals(self.text)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, stdout before stderr, and its exit code."""

    code: int
    output: str


@dataclass(slots=True)
class Incident:
    """A service in trouble and the runbook for it. `names` are what the page's examples stand for.

    `service` may be None while none runs; `shell` is where commands are run.
    """

    runbook: Runbook
    service: Running | None
    environ: Mapping[str, str]
    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    shell: tuple[str, ...] = ("bash",)
    done: int = 0
    seen: int = 0

    def see(self, exit_code: int | None = None) -> None:
        """Wait until every signal of the next table holds."""
        signals = self.runbook.signals[self.seen]
        self.seen += 1
        for signal in signals:
            wanted = signal.of(self.names)
            if wanted.where == "exit code":
                assert wanted.value == str(exit_code)
            else:
                assert self.service is not None
                self.service.wait(partial(wanted.is_shown, self.service), SEE_SECONDS)

    def do(self, start: str, code: int = 0) -> str:
        """Run the next command, which begins so and must end so; return what it prints."""
        command = self.runbook.commands[self.done]
        self.done += 1
        assert command.startswith(start), command
        done = self.run(command)
        assert done.code == code, (command, done)
        return done.output

    def leave_out(self, start: str) -> None:
        """Pass over the next command, which begins so: another test runs it."""
        assert self.runbook.commands[self.done].startswith(start)
        self.done += 1

    def run(self, command: str) -> Done:
        """Run a command as an operator does."""
        done = subprocess.run(
            [*self.shell, "-uo", "pipefail", "-c", command],
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def _environment(self) -> dict[str, str]:
        variables = {"OFFLOADER_ADMIN_TOKEN": ADMIN_TOKEN, "LOG": str(self._log()), **self.environ}
        if self.service is not None and self.service.events("starting"):
            variables["API"], variables["ADMIN"] = self.service.api_url, self.service.admin_url
            variables["OFFLOADER_ADMIN_PORT"] = str(self.service.admin[1])
        path = f"{Path(OFFLOADER).parent}:{os.environ['PATH']}"
        outer = {name: text for name, text in os.environ.items() if "OFFLOADER" not in name}
        return {**outer, **variables, "PATH": path}

    def _log(self) -> Path:
        """Write the log lines so far to a file, as the page says to."""
        path = self.folder / "service.log"
        lines = self.service.lines if self.service is not None else []
        path.write_text("".join(f"{line.get('text') or json.dumps(line)}\n" for line in lines))
        return path


def sections() -> dict[str, str]:
    """Return the text of each section of the page by its title."""
    _, *parts = _SECTION.split(PAGE.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def runbooks() -> dict[str, Runbook]:
    """Return every runbook of the page by its title: the sections that have an owner."""
    found = sections().items()
    return {title: Runbook(title, text) for title, text in found if "**Owner.**" in text}


@contextmanager
def incident(
    title: str, folder: Path, environ: Mapping[str, str], service: Running | None = None
) -> Iterator[Incident]:
    """Follow a runbook; at the end all its signals were seen and all its commands were run."""
    under_way = Incident(runbooks()[title], service, environ, folder)
    yield under_way
    assert under_way.runbook.commands[under_way.done :] == []
    assert under_way.runbook.signals[under_way.seen :] == []
