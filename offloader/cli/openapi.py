"""`offloader openapi`: print the product API of a project as OpenAPI 3.1."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path

from offloader.cli.opened_project import open_project
from offloader.cli.written import write_out
from offloader.errors import ConfigError


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
        help="the project's folder, its offloader.yml, or a gs:// or s3:// prefix (default:"
        " OFFLOADER_CONFIG, else .)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to a file")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Print the document, or write it and print the file's path; return 0, or 2 for any mistake."""
    # Here, for it imports numpy, which quick commands do without.
    from offloader.service.apidocs.openapi import openapi

    try:
        project = open_project(args.project or environ.get("OFFLOADER_CONFIG") or ".", environ)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 2
    text = json.dumps(openapi(project.catalog), indent=2, ensure_ascii=False)
    return write_out(f"{text}\n", args.out)
