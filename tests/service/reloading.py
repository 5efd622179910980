"""A reloader whose main, builder and clock are the test's own, over empty snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader import reloader as reloader_module
from offloader.service.reloader.main_link import MainLink, Refused
from offloader.service.reloader.reloader import Reloader
from offloader.service.state import DatasetState, load_state
from offloader.shared.slots import Slots
from tests.projects import write_project
from tests.service.building import loaded, wait_for
from tests.snapshots import manifest_document, write_manifest

COLUMNS = (("id", "BIGINT"),)
INTERVAL_SECONDS = 100.0

Answer = Callable[[dict[str, str]], int | Refused]


class FakeMain(MainLink):
    """Main as the reloader sees it: `prepared` and `committed_ids` are what it was asked for.

    `answer` decides over a prepare; it gets the snapshot ids by dataset.
    """

    def __init__(self, served: Mapping[str, Any] | None = None) -> None:
        self.slots = Slots(1)
        self.committed = {"snapshots": dict(served or {})}
        self.prepared: list[dict[str, str]] = []
        self.committed_ids: dict[str, str] = {}
        self.answer: Answer | None = None

    def prepare(self, document: Mapping[str, object]) -> int | Refused:
        snapshots: Any = document["snapshots"]
        wanted = {name: entry["snapshot"]["snapshot_id"] for name, entry in snapshots.items()}
        self.prepared.append(wanted)
        return self.answer(wanted) if self.answer else len(self.prepared)

    def commit(self, number: int) -> float:
        self.committed_ids = self.prepared[number - 1]
        return 0.25

    def status(self) -> Mapping[str, Any]:
        """Return the document on the board."""
        document: Mapping[str, Any] = json.loads(self.slots.board.read())
        return document


class FakeBuilder:
    """Counts builds by dataset; `fails` maps a dataset to what its next builds raise."""

    def __init__(self) -> None:
        self.jobs: list[Mapping[str, Any]] = []
        self.fails: dict[str, Exception] = {}
        self.before: Callable[[str], object] = lambda _: None

    def __call__(self, job: Mapping[str, Any]) -> int:
        self.jobs.append(job)
        self.before(job["dataset"])
        if job["dataset"] in self.fails:
            raise self.fails[job["dataset"]]
        return 0

    def built(self) -> list[str]:
        """Return the dataset of every build, in order."""
        return [job["dataset"] for job in self.jobs]


class Story:
    """One reloader and all it talks to; time passes only by `later`."""

    def __init__(self, folder: Path, *datasets: str, **changes: object) -> None:
        self.root, self.cache = folder / "project", Cache(folder / "cache")
        self.main, self.builder, self.now = FakeMain(), FakeBuilder(), 1000.0
        documents = {name: dataset_document(name, **changes) for name in datasets}
        write_project(self.root, datasets=documents)
        self.project: Project = loaded(self.root)
        for name in datasets:
            self.publish(name, "s1")

    def publish(self, name: str, snapshot_id: str, dataset_id: str | None = None) -> None:
        """Publish an empty snapshot, under another dataset's id if asked to."""
        document = manifest_document(dataset_id or name, COLUMNS, [], snapshot_id=snapshot_id)
        write_manifest(self.manifest(name), document)

    def manifest(self, name: str) -> Path:
        return self.root / "data" / name / "manifest.json"

    def begin(self) -> None:
        """Start a reloader, with the state that the one before left."""
        self.reloader = Reloader(
            self.project,
            self.cache,
            self.main,
            load_state(self.cache),
            refresh_interval_seconds=INTERVAL_SECONDS,
            threads=1,
            build=self.builder,
            clock=lambda: self.now,
        )

    def restart(self, *served: str) -> None:
        """Start main anew, which loads the datasets named, and a reloader."""
        entries = self.reloader._entries
        self.main = FakeMain({name: entries[name] for name in served})
        self.main.committed_ids = {
            name: entries[name]["snapshot"]["snapshot_id"] for name in served
        }
        self.begin()

    def settle(self) -> None:
        """Take turns until no look and no build is under way."""
        wait_for(self._is_settled)

    def turn_until(self, is_there: Callable[[], object]) -> None:
        """Take turns until a condition holds."""

        def turned() -> object:
            self.reloader.turn()
            return is_there()

        wait_for(turned)

    def _is_settled(self) -> bool:
        self.reloader.turn()
        return not any(told["is_looking"] for told in self.datasets().values())

    def gather(self) -> None:
        """Start the looks that are due and wait until all have ended, but take no outcome yet."""
        self.reloader._look_at_due()
        due = [name for name, at in self.reloader._due.items() if at == float("inf")]
        wait_for(lambda: self.reloader._outcomes.qsize() == len(due))

    def later(self, seconds: float = 2 * INTERVAL_SECONDS) -> None:
        """Let time pass, and all that is due then happen."""
        self.now += seconds
        self.settle()

    def datasets(self) -> Mapping[str, Any]:
        """Return what the board says of each dataset."""
        told: Mapping[str, Any] = self.main.status()["datasets"]
        return told

    def saved(self, name: str) -> DatasetState:
        """Return what the state file says of a dataset."""
        return load_state(self.cache)[name]


def begun(folder: Path, patch: pytest.MonkeyPatch, *datasets: str, **changes: object) -> Story:
    """Start a reloader over datasets that have one snapshot each; its turns wait for little."""
    patch.setattr(reloader_module, "HEARTBEAT_SECONDS", 0.01)
    story = Story(folder, *datasets, **changes)
    story.begin()
    return story


def dataset_document(name: str, **changes: object) -> dict[str, object]:
    """Return the document of a dataset with one column."""
    schema = [{"name": column, "type": kind} for column, kind in COLUMNS]
    return {"id": name, "schema": schema, "manifest": f"data/{name}/manifest.json", **changes}
