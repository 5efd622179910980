"""`offloader docs`: make the page that product engineers integrate from, as one file."""

from __future__ import annotations

import json
import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path

from offloader.cli.opened_project import PROJECT_HELP, open_or_tell
from offloader.cli.written import write_out

# What stands between quotes of a shell, of Python and of TypeScript in the examples.
_URL = re.compile(r"https?://[A-Za-z0-9._~\[\]:-]+(/[A-Za-z0-9._~-]+)*")


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "docs",
        help="make the page that product engineers integrate from",
        description="Make the page that product engineers integrate from, as /docs of the admin"
        " port shows it: one HTML file, complete in itself. Exit 0, or 2 for a wrong project.",
    )
    parser.add_argument(
        "project",
        nargs="?",
        help=PROJECT_HELP,
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to a file")
    parser.add_argument(
        "--url",
        type=_url,
        help="the address of the API in the examples (default: http://127.0.0.1:4000)",
    )
    parser.add_argument("--json", action="store_true", help="the same content as one JSON object")
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Print the page, or write it and print the file's path; return 0, or 2 for any mistake."""
    # Here, for they import numpy and the templates, which quick commands do without.
    from offloader.service.apidocs.guide import DEFAULT_URL, guide
    from offloader.web.docs_site.render import docs_html

    project = open_or_tell(args.project, environ)
    if project is None:
        return 2
    document = guide(project.catalog, args.url or DEFAULT_URL)
    if args.json:
        return write_out(f"{json.dumps(document, indent=2, ensure_ascii=False)}\n", args.out)
    return write_out(docs_html(document, is_served=False), args.out)


def _url(text: str) -> str:
    if not _URL.fullmatch(text.rstrip("/")):
        raise ArgumentTypeError("write it as https://api.example.com, without a query")
    return text.rstrip("/")
