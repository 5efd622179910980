"""`offloader validate`: check a project and print every problem at once."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping, Sequence
from pathlib import Path

from offloader.catalog.documents import load_catalog
from offloader.catalog.model import Catalog
from offloader.errors import ConfigError, Problem


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "validate",
        help="check a project and print every problem",
        description="Check a project and print every problem: exit 0 when there is none, else 2.",
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

    Problems go to stderr and a summary to stdout; with `--json` one object goes to stdout:
    `{"ok", "problems", "datasets", "endpoints", "keys"}`.
    """
    location = args.path or environ.get("OFFLOADER_CONFIG") or "."
    catalog, problems = _check(location)
    if args.json:
        print(json.dumps(_report(catalog, problems)))
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        print(_summary(location, catalog, problems))
    return 0 if catalog else 2


def _check(location: str) -> tuple[Catalog | None, Sequence[Problem]]:
    if "://" in location:
        message = "a project in a bucket cannot be checked from here"
        hint = "copy it into a folder and name that folder"
        return None, [Problem("offloader.yml", "", "location_unsupported", message, hint)]
    try:
        return load_catalog(Path(location))[0], ()
    except ConfigError as error:
        return None, error.problems


def _report(catalog: Catalog | None, problems: Sequence[Problem]) -> dict[str, object]:
    return {
        "ok": catalog is not None,
        "problems": [problem.as_dict() for problem in problems],
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


def _summary(location: str, catalog: Catalog | None, problems: Sequence[Problem]) -> str:
    location = location.encode("ascii", "backslashreplace").decode()
    if catalog is None:
        files = len({problem.file for problem in problems})
        return f"{location}: {_plural(len(problems), 'problem')} in {_plural(files, 'file')}"
    counts = ", ".join(_plural(count, name[:-1]) for name, count in _counts(catalog).items())
    return f"{location}: valid ({counts})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
