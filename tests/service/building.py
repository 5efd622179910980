"""What tests of builds need: a loaded project, its jobs, its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from offloader.catalog.compatibility import check_schema
from offloader.catalog.documents import load_catalog
from offloader.errors import SnapshotRefused
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader.task import Task
from offloader.service.reloader.work import Work
from offloader.service.state import DatasetState
from tests.service.looking import look, lookout_of

DEADLINE_SECONDS = 20.0
Found = TypeVar("Found")


def loaded(root: Path) -> Project:
    """Load a written project as the service does."""
    catalog, documents = load_catalog(root)
    return Project(root, documents, catalog)


def job_of(
    root: Path, cache: Cache, known: DatasetState | None = None, dataset: str = "usage"
) -> Mapping[str, Any]:
    """Return the job that the builder gets for a project's newest snapshot.

    Also when its parts lie in the cache, where the reloader would not ask a builder.
    """
    project, known = loaded(root), known or DatasetState()
    task = Task(dataset, project, known)
    published = look(project, task.dataset, cache)
    if problems := check_schema(published.manifest, task.dataset):
        raise SnapshotRefused.of(problems)
    lookout = lookout_of(cache)
    work = Work(lookout, lambda *_: 0, threads=1, clock=lambda: 0.0, on_step=lambda *_: None)
    was_served = published.manifest.digest in {one.manifest_digest for one in known.snapshots()}
    return work._job(task, published, cache.root, was_served)


def parts_in(cache: Cache) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of every part in a cache, by name."""
    found = ((path.name, path.stat()) for path in cache.root.glob("segments/*/*"))
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found}


def wait_for(look_for: Callable[[], Found | None]) -> Found:
    """Look until there is something; fail when there is nothing in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := look_for():
            return found
        time.sleep(0.005)
    raise AssertionError(f"nothing came of it in {DEADLINE_SECONDS:g} s")
