"""`offloader schema`: print the JSON Schemas of the project files, for editors."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from offloader.catalog.json_schema import SCHEMA_NAMES, schemas


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schemas of the project files",
        description="Print the JSON Schemas of the project files, so that editors check them.",
    )
    parser.add_argument("name", nargs="?", choices=SCHEMA_NAMES, help="one file kind; default all")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write <name>.schema.json files")
    return parser


def run(args: Namespace) -> int:
    """Print one schema, or all by name; with `--out` write files and print their paths.

    Returns 0, or 2 when a file cannot be written.
    """
    found = schemas()
    chosen = {args.name: found[args.name]} if args.name else found
    if args.out is None:
        print(_text(found[args.name] if args.name else found), end="")
        return 0
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for name, schema in chosen.items():
            path = args.out / f"{name}.schema.json"
            path.write_text(_text(schema), encoding="utf-8")
            print(path)
    except OSError as error:
        hint = "name a folder that can be written"
        print(f"{args.out}: cannot be written: {error.strerror} ({hint})", file=sys.stderr)
        return 2
    return 0


def _text(schema: object) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
