"""What tests of builds need: a loaded project, its jobs, its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from offloader.catalog.documents import load_catalog
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader.refresh import build_found, look
from offloader.service.state import DatasetState

DEADLINE_SECONDS = 20.0
Found = TypeVar("Found")


def loaded(root: Path) -> Project:
    """Load a written project as the service does."""
    catalog, documents = load_catalog(root)
    return Project(root, documents, catalog)


def job_of(
    root: Path, cache: Cache, known: DatasetState | None = None, dataset: str = "usage"
) -> Mapping[str, Any]:
    """Return the job that the builder gets for a project's newest snapshot."""
    project, jobs = loaded(root), list[Mapping[str, Any]]()

    def keep(job: Mapping[str, Any]) -> int:
        jobs.append(job)
        return 0

    contract = project.catalog.datasets[dataset]
    looked = look(project, contract, cache)
    known = known or DatasetState()
    build_found(project, contract, cache, looked, known=known, threads=1, build=keep)
    return jobs[0]


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
