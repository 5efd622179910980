"""Read a project for a command: from a folder, or fetched from a bucket for this once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from offloader.catalog.documents import load_catalog
from offloader.catalog.project import PROJECT_FILE
from offloader.errors import ConfigError, Problem, SourceUnavailable
from offloader.service.config.fetch import fetch
from offloader.service.config.place import config_place
from offloader.service.config.revisions import Fetched, write_files
from offloader.service.project import Project
from offloader.settings.settings import read_settings
from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.patient import Patience

PROJECT_HELP = (
    "the project's folder, its offloader.yml, or a gs:// or s3:// prefix (default:"
    " OFFLOADER_CONFIG, else .)"
)
PATIENCE = Patience(attempts=3, deadline_seconds=20.0)
_ANY_MEMORY = 1 << 62


def open_project(location: str, environ: Mapping[str, str]) -> Project:
    """Read and check the project at a path or a gs:// or s3:// URL.

    Raises ConfigError with every problem, those of the environment too when a bucket is asked, and
    one that says why it cannot be read.
    """
    try:
        place = config_place(location)
    except ConfigError as error:
        here = (replace(problem, file=PROJECT_FILE, path="") for problem in error.problems)
        raise ConfigError(here) from error
    if place is None:
        path = Path(location)
        catalog, documents = load_catalog(path)
        return Project((path if path.is_dir() else path.parent).absolute(), documents, catalog)
    return _fetched(place, access_of(environ))


def open_or_tell(location: str | None, environ: Mapping[str, str]) -> Project | None:
    """Open the project that a command names, else the environment's; None when it told why not."""
    try:
        return open_project(location or environ.get("OFFLOADER_CONFIG") or ".", environ)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return None


def access_of(environ: Mapping[str, str]) -> Access:
    """Return how the environment says that stores are reached; raises ConfigError."""
    settings, _ = read_settings(
        {**environ, "OFFLOADER_CONFIG": "."}, is_terminal=False, cpus=1, memory_bytes=_ANY_MEMORY
    )
    return Access.of(settings)


def _fetched(place: Location, access: Access) -> Project:
    try:
        found = fetch(Stores(access, PATIENCE).at(place), place)
    except SourceUnavailable as error:
        problem = Problem(PROJECT_FILE, "", error.code, error.message, error.hint)
        raise ConfigError([problem]) from error
    assert isinstance(found, Fetched)
    with TemporaryDirectory(prefix="offloader-project-") as folder:
        write_files(Path(folder), found)
        catalog, documents = load_catalog(Path(folder))
    return Project(Path(folder), documents, catalog, place)
