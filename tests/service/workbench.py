"""Where work on a dataset is done: sources, a cache, a builder, and no reloader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from offloader.service.cache import Cache
from offloader.service.lease import seen_leases
from offloader.service.reloader.task import Done
from offloader.service.reloader.work import Work
from tests.projects import write_yaml
from tests.service.desk import Desk
from tests.service.looking import lookout_of
from tests.service.reloading import dataset_document


class Bench(Desk):
    """Where work is done: `s2` is served, `s1` was before it, the source has `s3`.

    `steps` are what the work told of itself.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[tuple[str, str]] = []
        self.work = Work(
            lookout_of(self.story.cache),
            self.story.builder,
            threads=3,
            clock=lambda: 5.0,
            on_step=lambda name, step: self.steps.append((name, step)),
            aside="7",
        )

    @property
    def jobs(self) -> list[Mapping[str, Any]]:
        return self.story.builder.jobs

    def do(self, **changes: Any) -> Done:
        return self.work.do(replace(self.task(), **changes))

    def guard(self, **guards: object) -> None:
        write_yaml(self.story.root / "datasets" / "a.yml", dataset_document("a", guards=guards))

    def during_the_build(self, publish: Callable[[], object]) -> None:
        def once(_: str) -> None:
            self.story.builder.before = lambda _: None
            publish()

        self.story.builder.before = once


def leased(cache: Cache) -> list[set[str]]:
    """Return what each living lease names."""
    return [set(one.needs or ()) for one in seen_leases(cache) if one.is_held]


def found_id(done: Done) -> str:
    assert done.found is not None
    return done.found.manifest.snapshot_id


def code(done: Done) -> tuple[str, bool]:
    assert done.found is None
    return done.attempt.code, done.attempt.is_final
