"""A project as it was read: where it lies, what it says, and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offloader.catalog.model import Catalog, Dataset
from offloader.errors import ConfigError, SnapshotRefused
from offloader.sources.manifest_file import resolve_manifest


@dataclass(frozen=True, slots=True)
class Project:
    """A project's folder, its documents and its catalog."""

    root: Path
    documents: Mapping[str, Any]
    catalog: Catalog


def manifest_path(project: Project, dataset: Dataset) -> Path:
    """Return where a dataset's manifest is published; raises SnapshotRefused."""
    if dataset.manifest is None or "://" in dataset.manifest:
        hint = "name a manifest inside the project"
        raise SnapshotRefused("source_unsupported", "only local manifests are read", hint)
    try:
        return resolve_manifest(project.root, dataset.manifest)
    except ConfigError as error:
        raise SnapshotRefused.of(error.problems) from error
