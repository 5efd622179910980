"""`offloader validate`: check a project and print every problem, and warnings, at once."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from offloader.catalog.documents import load_catalog
from offloader.catalog.manifest import parse_manifest
from offloader.catalog.model import Catalog
from offloader.cli.wording import plural
from offloader.errors import ConfigError, OffloaderError, Problem
from offloader.segment.scan_warnings import scan_warnings
from offloader.sources.manifest_file import read_manifest, resolve_manifest

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
        help="the project's folder or its offloader.yml (default: OFFLOADER_CONFIG, else .)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Check the project; return 0 when it is valid, else 2.

    Problems and warnings go to stderr and a summary to stdout; with `--json` one object goes to
    stdout: `{"ok", "problems", "warnings", "datasets", "endpoints", "keys"}`.
    """
    location = args.path or environ.get("OFFLOADER_CONFIG") or "."
    catalog, problems, warnings = _check(location)
    if args.json:
        print(json.dumps(_report(catalog, problems, warnings)))
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(_summary(location, catalog, problems, warnings))
    return 0 if catalog else 2


def _check(location: str) -> tuple[Catalog | None, Problems, Problems]:
    """Return the catalog, problems and warnings; no catalog when there is a problem."""
    if "://" in location:
        message = "a project in a bucket cannot be checked from here"
        hint = "copy it into a folder and name that folder"
        return None, [Problem("offloader.yml", "", "location_unsupported", message, hint)], ()
    path = Path(location)
    try:
        catalog, documents = load_catalog(path)
    except ConfigError as error:
        return None, error.problems, ()
    return catalog, (), _warnings(path if path.is_dir() else path.parent, catalog, documents)


def _warnings(root: Path, catalog: Catalog, documents: Mapping[str, Any]) -> Problems:
    """Return what works but reads every row; snapshots that cannot be read are taken as large."""
    files = {document["name"]: file for file, document in documents["endpoints"].items()}
    row_counts = {}
    for dataset in catalog.datasets.values():
        with suppress(OffloaderError):
            path = resolve_manifest(root, dataset.manifest or "")
            row_counts[dataset.id] = parse_manifest(read_manifest(path), path.name).row_count
    return scan_warnings(catalog, files, row_counts)


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
