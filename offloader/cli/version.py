"""`offloader version`: say which version this is."""

from __future__ import annotations

import json
import platform
from argparse import ArgumentParser, Namespace, _SubParsersAction

from offloader import __version__


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "version", help="print the version", description="Print the version."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(args: Namespace) -> int:
    """Print the version; return 0."""
    if args.json:
        print(json.dumps({"version": __version__, "python": platform.python_version()}))
    else:
        print(f"offloader {__version__}")
    return 0
