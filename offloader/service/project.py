"""A project as it was read: where it lies, what it says, and what that means."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offloader.catalog.model import Catalog, Dataset
from offloader.errors import ConfigError, SnapshotRefused
from offloader.sources.manifest_file import resolve_manifest
from offloader.stores.location import Location, parse_url

COMMITTED_MANIFEST = "_manifest.json"  # of a Databricks folder, where no file of this name lies


@dataclass(frozen=True, slots=True)
class Project:
    """A project's documents and its catalog, and the folder they were read from.

    `base` is the bucket prefix that the folder is a copy of, None when it is the project itself:
    paths in the project are relative to it.
    """

    root: Path
    documents: Mapping[str, Any]
    catalog: Catalog
    base: Location | None = None


def manifest_location(project: Project, dataset: Dataset) -> Location:
    """Return where a dataset's manifest is published; raises SnapshotRefused.

    For a Databricks folder that is a name in it, for its files are named relative to that.
    """
    try:
        if dataset.source is not None:
            return source_folder(dataset).below(COMMITTED_MANIFEST)
        assert dataset.manifest is not None
        if "://" in dataset.manifest:
            return parse_url(dataset.manifest)
        if project.base is not None:
            return project.base.below(posixpath.normpath(dataset.manifest))
        path = resolve_manifest(project.root, dataset.manifest)
    except ConfigError as error:
        raise SnapshotRefused.of(error.problems) from error
    return Location("file", "/", str(path.relative_to("/")))


def source_folder(dataset: Dataset) -> Location:
    """Return the folder a dataset's `source` names; a bucket without a scheme is Google's."""
    assert dataset.source is not None
    bucket, prefix = dataset.source.bucket, dataset.source.prefix.strip("/")
    root = parse_url(bucket if "://" in bucket else f"gs://{bucket}")
    return root.below(prefix) if prefix else root
