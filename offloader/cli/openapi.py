"""`offloader openapi`: print the product API of a project as OpenAPI 3.1."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path

from offloader.cli.opened_project import PROJECT_HELP, open_or_tell
from offloader.cli.written import write_out


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "openapi",
        help="print the API of a project as OpenAPI 3.1",
        description="Print the product API that a project serves as OpenAPI 3.1, as /openapi.json"
        " of the admin port does. Exit 0, or 2 when the project is wrong.",
    )
    parser.add_argument(
        "project",
        nargs="?",
        help=PROJECT_HELP,
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to a file")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Print the document, or write it and print the file's path; return 0, or 2 for any mistake."""
    # Here, for it imports numpy, which quick commands do without.
    from offloader.service.apidocs.openapi import openapi

    project = open_or_tell(args.project, environ)
    if project is None:
        return 2
    text = json.dumps(openapi(project.catalog), indent=2, ensure_ascii=False)
    return write_out(f"{text}\n", args.out)
