"""`offloader validate`: check a project and print every problem, and warnings, at once."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from offloader.catalog.manifest import MAX_MANIFEST_BYTES, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.cli.opened_project import PROJECT_HELP, access_of, open_project
from offloader.cli.wording import plural
from offloader.errors import ConfigError, OffloaderError, Problem
from offloader.segment.scan_warnings import scan_warnings
from offloader.service.project import Project, manifest_location
from offloader.sources.manifest_file import read_manifest
from offloader.stores.download import read_whole
from offloader.stores.open import Stores
from offloader.stores.patient import Patience

MANIFESTS_AT_ONCE = 8
MANIFEST_PATIENCE = Patience(attempts=2, deadline_seconds=5.0)

Problems = Sequence[Problem]


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "validate",
        help="check a project and print every problem",
        description="Check a project and print every problem: exit 0 when there is none, else 2."
        " Warnings tell of endpoints that read every row; they change no exit code.",
    )
    parser.add_argument(
        "path",
        nargs="?",
        help=PROJECT_HELP,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Check the project; return 0 when it is valid, else 2.

    Problems and warnings go to stderr and a summary to stdout; with `--json` one object goes to
    stdout: `{"ok", "problems", "warnings", "datasets", "endpoints", "keys"}`.
    """
    location = args.path or environ.get("OFFLOADER_CONFIG") or "."
    catalog, problems, warnings = _check(location, environ)
    if args.json:
        print(json.dumps(_report(catalog, problems, warnings)))
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(_summary(location, catalog, problems, warnings))
    return 0 if catalog else 2


def _check(location: str, environ: Mapping[str, str]) -> tuple[Catalog | None, Problems, Problems]:
    """Return the catalog, problems and warnings; no catalog when there is a problem."""
    try:
        project = open_project(location, environ)
        return project.catalog, (), _warnings(project, environ)
    except ConfigError as error:
        return None, error.problems, ()


def _warnings(project: Project, environ: Mapping[str, str]) -> Problems:
    """Return what works but reads every row; snapshots that cannot be read are taken as large."""
    files = {document["name"]: file for file, document in project.documents["endpoints"].items()}
    datasets = project.catalog.datasets.values()
    stores = Stores(access_of(environ), MANIFEST_PATIENCE) if project.base is not None else None
    with ThreadPoolExecutor(MANIFESTS_AT_ONCE) as pool:
        counts = pool.map(partial(_row_count, project, stores), datasets)
        found = zip(project.catalog.datasets, counts, strict=True)
        row_counts = {name: count for name, count in found if count is not None}
    return scan_warnings(project.catalog, files, row_counts)


def _row_count(project: Project, stores: Stores | None, dataset: Dataset) -> int | None:
    """Return the rows of the published snapshot, None when that cannot be told.

    Without `stores` no network is asked: a project in a folder is checked without one.
    """
    if dataset.source is not None:
        return None
    with suppress(OffloaderError):
        location = manifest_location(project, dataset)
        if not location.is_remote:
            raw = read_manifest(Path(str(location)))
        elif stores is None:
            return None
        else:
            _, raw = read_whole(stores.at(location), location.key, MAX_MANIFEST_BYTES)
        return parse_manifest(raw, location.name).row_count
    return None


def _report(catalog: Catalog | None, problems: Problems, warnings: Problems) -> dict[str, object]:
    return {
        "ok": catalog is not None,
        "problems": [problem.as_dict() for problem in problems],
        "warnings": [warning.as_dict() for warning in warnings],
        **_counts(catalog),
    }


def _counts(catalog: Catalog | None) -> dict[str, int]:
    if catalog is None:
        return {"datasets": 0, "endpoints": 0, "keys": 0}
    return {
        "datasets": len(catalog.datasets),
        "endpoints": len(catalog.endpoints),
        "keys": len(catalog.keys),
    }


def _summary(location: str, catalog: Catalog | None, problems: Problems, warnings: Problems) -> str:
    location = location.encode("ascii", "backslashreplace").decode()
    if catalog is None:
        files = len({problem.file for problem in problems})
        return f"{location}: {plural(len(problems), 'problem')} in {plural(files, 'file')}"
    counts = ", ".join(plural(count, name[:-1]) for name, count in _counts(catalog).items())
    more = f", {plural(len(warnings), 'warning')}" if warnings else ""
    return f"{location}: valid ({counts}){more}"
