"""GitHub workflows, read as far as their tests need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.docs.markdown import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job; `uses` or `run` is empty."""

    workflow: str
    job: str
    name: str
    uses: str
    run: str
    options: dict[str, Any]


class Workflow:
    """One parsed workflow by the stem of its file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (FOLDER / f"{name}.yml").read_text(encoding="utf-8")
        # YAML 1.1 takes the key `on` for true.
        self.document: Any = yaml.load(self.text, yaml.BaseLoader)
        self.jobs: dict[str, Any] = self.document["jobs"]

    def needs(self, job: str) -> set[str]:
        """Return all jobs that end before one begins, by way of others, too."""
        named = self.jobs[job].get("needs", [])
        direct = {named} if isinstance(named, str) else set(named)
        return direct.union(*(self.needs(name) for name in direct))

    def steps(self, *jobs: str) -> list[Step]:
        """Return the steps of some jobs, all by default, in order."""
        return list(self._steps(jobs or tuple(self.jobs)))

    def _steps(self, jobs: tuple[str, ...]) -> Iterator[Step]:
        for job in jobs:
            for step in self.jobs[job].get("steps", []):
                name = step.get("name", step.get("uses", ""))
                options = step.get("with", {})
                uses, run = step.get("uses", ""), step.get("run", "")
                yield Step(self.name, job, name, uses, run, options)


def expressions(text: str) -> list[str]:
    """Return the expressions that GitHub replaces before anything is run."""
    return _EXPRESSION.findall(text)
