"""Looks at local sources, as the reloader's lookout makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offloader.catalog.model import Dataset
from offloader.service.cache import Cache
from offloader.service.lookout import Lookout, Published
from offloader.service.project import Project
from offloader.stores.access import Access


def lookout_of(cache: Cache) -> Lookout:
    """Return a lookout that keeps manifests in a cache."""
    return Lookout(cache, Access(), no_describe)


def look(project: Project, dataset: Dataset, cache: Cache) -> Published:
    """Look at a dataset's source once."""
    return lookout_of(cache).look(project, dataset)


def no_describe(_: Mapping[str, Any]) -> bytes:
    """Fail: nothing here lies in a bucket."""
    raise AssertionError("no dataset here has a Databricks source")
