"""One task for one dataset, what is found by it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Dataset, Endpoint
from offloader.service.lease import Lease
from offloader.service.project import Project
from offloader.service.reloader.decide import needs_accept
from offloader.service.state import Attempt, DatasetState, Snapshot

Step = Literal["queued", "fetching", "building", "standing_still"]
Wish = Literal["follow", "rollback", "pin", "rebuild", "quarantine"]


@dataclass(frozen=True, slots=True)
class Task:
    """What to do for one dataset, and all that was known when it was given.

    `target` is the snapshot that is wished for, None to follow the source. `is_pending` tells
    that the config has a contract the dataset is not served under yet. `is_asked` tries even what
    failed for good, for an operator waits for it. `overtaken` counts the builds that were dropped
    in a row. `quarantined` are digests of manifests.
    """

    name: str
    project: Project
    known: DatasetState
    wish: Wish = "follow"
    target: Snapshot | None = None
    is_pending: bool = False
    is_asked: bool = False
    overtaken: int = 0
    quarantined: frozenset[str] = frozenset()

    @property
    def dataset(self) -> Dataset:
        """The dataset's new contract."""
        return self.project.catalog.datasets[self.name]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The contracts of its endpoints, by name."""
        return self.project.catalog.endpoints_of(self.name)

    @property
    def pin(self) -> str:
        """The id the dataset is to stay on, empty for none; the config goes before an operator."""
        return self.dataset.pin or self.known.pin


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A snapshot whose parts all lie in the cache; `entry` is for the generation's document.

    `lease` is None when the state file keeps the parts anyway.
    """

    manifest: Manifest
    entry: Mapping[str, Any]
    contract: str
    lease: Lease | None


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What came of a task: a snapshot to swap in, a failure, or why nothing is to be done."""

    task: Task
    found: Found | None = None
    attempt: Attempt = field(default_factory=Attempt)
    stay: str = ""
    is_overtaken: bool = False


def carried_on(task: Task) -> Task:
    """Return the task that carries out what an operator decided and was not carried out yet.

    It was decided before this reloader began, or by another instance. Else the task is the same.
    """
    active, previous = task.known.active, task.known.previous
    if active is None or previous is None or active.manifest_digest == task.known.accepted:
        return task
    why = needs_accept(task.known, active.manifest_digest, task.quarantined)
    if why is None or previous.manifest_digest in task.quarantined:
        return task
    return replace(task, wish="rollback" if why == "rolled_back" else "quarantine", target=previous)
