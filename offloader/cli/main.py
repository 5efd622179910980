"""The `offloader` command. Each subcommand is a module of this package."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module

from offloader import __version__

_COMMANDS = (
    "serve",
    "validate",
    "explain",
    "snapshot",
    "cache",
    "doctor",
    "support_bundle",
    "docs",
    "openapi",
    "schema",
    "version",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 fine, 1 a check failed, 2 wrong usage or config."""
    parser = ArgumentParser(
        prog="offloader",
        description="Serve warehouse snapshots to a product, out of shared memory.",
    )
    parser.add_argument("--version", action="version", version=f"offloader {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    given = sys.argv[1:] if arguments is None else arguments
    # A service starts the sooner the less it imports of what only others need.
    asked = given[0].replace("-", "_") if given else ""
    for name in (asked,) if asked in _COMMANDS else _COMMANDS:
        command = import_module(f"offloader.cli.{name}")
        command.add_parser(subparsers).set_defaults(run=command.run)
    args = parser.parse_args(given)
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
