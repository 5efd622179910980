"""Refresh one dataset: look at its manifest and build what its newest snapshot needs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offloader.catalog.compatibility import check_schema
from offloader.catalog.contract import digest_of
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import ConfigError, SnapshotRefused, SourceUnavailable
from offloader.segment.access_path import derive_paths
from offloader.service.cache import Cache
from offloader.service.generation_document import entry_of
from offloader.service.project import Project
from offloader.service.state import Attempt, DatasetState
from offloader.sources.local import read_manifest, resolve_manifest

FIRST_BACK_OFF_SECONDS = 1.0
MAX_BACK_OFF_SECONDS = 300.0
_MAX_MESSAGE = 2000

Build = Callable[[Mapping[str, Any]], int]


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot whose parts all lie in the cache; `entry` is for the generation's document."""

    manifest: Manifest
    entry: Mapping[str, Any]
    contract: str


def contract_of(catalog: Catalog, dataset: Dataset) -> str:
    """Return the digest of what of the contract decides whether a snapshot can be served."""
    paths = derive_paths(dataset, catalog.endpoints_of(dataset.id))
    shaping = replace(dataset, description="")
    return digest_of({"dataset": repr(shaping), "paths": [list(path.columns) for path in paths]})


def look(project: Project, dataset: Dataset, cache: Cache) -> tuple[Manifest, Path, Path]:
    """Read and check a dataset's manifest; return it, its path, and the path of the kept copy.

    Raises SourceUnavailable, or SnapshotRefused when it cannot be served.
    """
    if dataset.manifest is None or "://" in dataset.manifest:
        hint = "name a manifest inside the project"
        raise SnapshotRefused("source_unsupported", "only local manifests are read", hint)
    try:
        path = resolve_manifest(project.root, dataset.manifest)
    except ConfigError as error:
        raise SnapshotRefused.of(error.problems) from error
    raw = read_manifest(path)
    manifest = parse_manifest(raw, path.name)
    problems = check_schema(manifest, dataset, file=path.name)
    if problems:
        raise SnapshotRefused.of(problems)
    return manifest, path, cache.keep_manifest(dataset.id, manifest.digest, raw)


def build_found(
    project: Project,
    dataset: Dataset,
    cache: Cache,
    looked: tuple[Manifest, Path, Path],
    *,
    known: DatasetState,
    threads: int,
    build: Build,
) -> Found:
    """Build what is missing of a snapshot. Raises SnapshotRefused or SourceUnavailable."""
    manifest, path, copy = looked
    active = known.active
    build(
        {
            "documents": project.documents,
            "dataset": dataset.id,
            "cache": str(cache.root),
            "root": str(project.root),
            "manifest_path": str(path),
            "manifest_copy": str(copy),
            "previous_row_count": active.row_count if active else None,
            "was_active": active is not None and active.manifest_digest == manifest.digest,
            "threads": threads,
        }
    )
    entry = entry_of(project.catalog, dataset.id, manifest)
    return Found(manifest, entry, contract_of(project.catalog, dataset))


def is_known_failure(known: DatasetState, manifest: Manifest, contract: str) -> bool:
    """Tell whether this snapshot was refused for good under this contract."""
    tried = known.attempt
    return (
        tried.is_final and tried.manifest_digest == manifest.digest and tried.contract == contract
    )


def is_pinned_away(dataset: Dataset, manifest: Manifest) -> bool:
    """Tell whether the dataset is to stay on another snapshot than this one."""
    return dataset.pin is not None and dataset.pin != manifest.snapshot_id


def check_pin(dataset: Dataset, manifest: Manifest, served_id: str | None) -> None:
    """Raise SourceUnavailable when the pinned snapshot is neither served nor published."""
    if is_pinned_away(dataset, manifest) and served_id != dataset.pin:
        message = "the pinned snapshot is neither served nor published"
        hint = "publish that snapshot again, or remove the pin"
        raise SourceUnavailable("pinned_snapshot_missing", message, hint)


def failed(
    known: DatasetState,
    error: SnapshotRefused | SourceUnavailable,
    *,
    manifest: Manifest | None,
    contract: str,
    now: float,
    seconds: float,
) -> Attempt:
    """Return what is remembered of a failure.

    A refusal is final: looking at the manifest again costs little, building it again would not.
    """
    is_final = isinstance(error, SnapshotRefused)
    return Attempt(
        snapshot_id=manifest.snapshot_id if manifest else "",
        manifest_digest=manifest.digest if manifest else "",
        contract=contract,
        code=error.code,
        message=error.message[:_MAX_MESSAGE],
        hint=error.hint,
        is_final=is_final,
        failures=0 if is_final else known.attempt.failures + 1,
        at=now,
        duration_seconds=round(seconds, 3),
    )


def back_off_seconds(attempt: Attempt, interval_seconds: float, chance: random.Random) -> float:
    """Return when to look again, with jitter: after the interval, or sooner after a failure.

    The pause doubles with each transient failure in a row, up to the interval when the manifest
    itself could not be had, up to five minutes when the work on its snapshot failed.
    """
    if attempt.is_final or not attempt.failures:
        return interval_seconds * chance.uniform(0.9, 1.1)
    doubled = FIRST_BACK_OFF_SECONDS * 2.0 ** min(attempt.failures - 1, 16)
    has_worked = bool(attempt.manifest_digest)
    longest = max(interval_seconds, MAX_BACK_OFF_SECONDS) if has_worked else interval_seconds
    return min(doubled, longest) * chance.uniform(0.75, 1.25)
