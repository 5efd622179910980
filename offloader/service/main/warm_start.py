"""What to serve at the start: what the cache holds of what was served before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog
from offloader.errors import ConfigError
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.composition import compose
from offloader.service.generation_document import Document, ready_entry
from offloader.service.project import Project
from offloader.service.quarantine import marks
from offloader.service.state import DatasetState, Saved, Snapshot


def warm_document(
    cache: Cache, project: Project, saved: Saved, without: Collection[str] = ()
) -> Document:
    """Return the document of the first generation, leaving out the datasets `without`.

    A dataset whose new contract needs a build is served under the one it had, as before the stop.
    """
    before = _catalog_before(saved)
    entries: dict[str, Document] = {}
    held = set()
    for name in project.catalog.datasets:
        known = saved.datasets.get(name, DatasetState())
        for snapshot in _candidates(cache, name, known) if name not in without else ():
            copy = known.copy if snapshot == known.active else 0
            entry = ready_entry(cache, project.catalog, name, snapshot, copy)
            if entry is None and before is not None:
                entry = ready_entry(cache, before, name, snapshot, copy)
                held |= {name} if entry is not None else set()
            if entry is not None:
                entries[name] = entry
                break
    return _composed(project, saved.contracts if before else {}, entries, held)


def _composed(
    project: Project,
    served: Mapping[str, Any],
    entries: dict[str, Document],
    held: Collection[str],
) -> Document:
    try:
        made = compose(project.documents, project.catalog, served, held)
    except ConfigError as error:
        log.warning("contracts_not_held", problems=[str(problem) for problem in error.problems])
        entries = {name: entry for name, entry in entries.items() if name not in held}
        made = compose(project.documents, project.catalog, {}, ())
    # What is held because of another dataset has no entry under the contract it is held on.
    left_out = made.dropped | (made.held - set(held))
    is_desired = made.documents == project.documents
    return {
        "documents": made.documents,
        "desired": None if is_desired else project.documents,
        "snapshots": {name: entry for name, entry in entries.items() if name not in left_out},
    }


def _candidates(cache: Cache, name: str, known: DatasetState) -> Iterator[Snapshot]:
    """Yield the snapshots that may be served, the best first: one that was put away may not."""
    away = {snapshot.manifest_digest for snapshot in known.rolled_back}
    with suppress(OSError):
        away |= {mark.manifest_digest for mark in marks(cache, name)}
    for snapshot in (known.active, known.previous):
        if snapshot is None:
            continue
        if snapshot.manifest_digest not in away or snapshot.manifest_digest == known.accepted:
            yield snapshot


def _catalog_before(saved: Saved) -> Catalog | None:
    """Return the contracts that were served, None when there are none that can be read."""
    if not saved.contracts:
        return None
    project: Any = saved.contracts.get("project")
    keys_file = project.get("keys") if isinstance(project, dict) else None
    keys: dict[str, Any] = {"keys": {"keys": []} if keys_file else None, "keys_file": keys_file}
    with suppress(ConfigError):
        return parse_documents({**saved.contracts, **keys})
    return None
