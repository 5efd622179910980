"""`offloader schema`: print JSON Schemas, of the project files or of a project's endpoints."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path

from offloader.catalog.json_schema import SCHEMA_NAMES, schemas
from offloader.catalog.json_schema_parts import Schema
from offloader.catalog.text_rules import nearest_hint
from offloader.cli.opened_project import open_project
from offloader.errors import ConfigError


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    kinds = ", ".join(SCHEMA_NAMES)
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schemas of the project files, or of endpoints",
        description="Print the JSON Schemas of the project files, so that editors check them; with"
        " --project those of its endpoints, as /schema of the admin port does: params, rows and"
        " answers.",
    )
    parser.add_argument(
        "name", nargs="?", help=f"one file kind ({kinds}), or one endpoint; default all"
    )
    parser.add_argument(
        "--project",
        metavar="PATH",
        help="a project's folder, its offloader.yml, or a gs:// or s3:// prefix",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write <name>.schema.json files")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Print one schema, or all by name; with `--out` write files and print their paths.

    Returns 0, or 2 for a name there is none of, a wrong project, or a file that cannot be written.
    """
    try:
        found = schemas() if args.project is None else _of_endpoints(args.project, environ)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 2
    if args.name is not None and args.name not in found:
        hint = nearest_hint(args.name, tuple(found))
        print(f"{args.name}: there is no such schema ({hint})", file=sys.stderr)
        return 2
    chosen = {args.name: found[args.name]} if args.name else found
    if args.out is None:
        print(_text(found[args.name] if args.name else found), end="")
        return 0
    return _write(chosen, args.out)


def _of_endpoints(location: str, environ: Mapping[str, str]) -> dict[str, Schema]:
    # Here, for it imports numpy, which quick commands do without.
    from offloader.service.apidocs.schemas import endpoint_schema

    catalog = open_project(location, environ).catalog
    return {name: endpoint_schema(catalog, one) for name, one in sorted(catalog.endpoints.items())}


def _write(chosen: Mapping[str, Schema], folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, schema in chosen.items():
            path = folder / f"{name}.schema.json"
            path.write_text(_text(schema), encoding="utf-8")
            print(path)
    except OSError as error:
        hint = "name a folder that can be written"
        print(f"{folder}: cannot be written: {error.strerror} ({hint})", file=sys.stderr)
        return 2
    return 0


def _text(schema: object) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
