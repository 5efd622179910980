"""Where an operator asks: what is known of a dataset, and what its source has published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offloader.service.actions import Action, Kind
from offloader.service.reloader.operator import Allowed, Refusal, allow
from offloader.service.reloader.task import Task
from offloader.service.state import DatasetState, Snapshot
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.looking import look, lookout_of
from tests.service.reloading import BY, Story, dataset_document


class Desk:
    """Snapshots `s1`, `s2`, `s3` were published; `s2` is served, and `s1` was before it."""

    def __init__(self, folder: Path) -> None:
        self.story = Story(folder, "a")
        self.seen = {}
        for minute, snapshot_id in enumerate(("s1", "s2", "s3")):
            self.story.publish("a", snapshot_id, minutes=minute)
            self.seen[snapshot_id] = Snapshot.of(self._newest())
        self.known = DatasetState(self.seen["s2"], self.seen["s1"])
        self.away: frozenset[str] = frozenset()

    def _newest(self) -> Any:
        project = loaded(self.story.root)
        return look(project, project.catalog.datasets["a"], self.story.cache).manifest

    def digest(self, snapshot_id: str) -> str:
        return self.seen[snapshot_id].manifest_digest

    def quarantine(self, snapshot_id: str) -> None:
        self.away |= {self.digest(snapshot_id)}

    def task(self) -> Task:
        return Task("a", loaded(self.story.root), self.known, quarantined=self.away)

    def ask(self, kind: Kind, **fields: Any) -> Allowed:
        return allow(Action(kind, "a", BY, **fields), self.task(), lookout_of(self.story.cache))

    def refusal(self, kind: Kind, **fields: Any) -> tuple[str, str]:
        with pytest.raises(Refusal) as refused:
            self.ask(kind, **fields)
        assert refused.value.hint
        return refused.value.code, refused.value.message

    def pin_in_config(self, snapshot_id: str) -> None:
        document = dataset_document("a", pin=snapshot_id)
        write_yaml(self.story.root / "datasets" / "a.yml", document)
