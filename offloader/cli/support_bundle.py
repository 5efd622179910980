"""`offloader support-bundle`: everything somebody far away needs to see, without any secret."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from datetime import UTC, datetime

from offloader.cli.admin_client import add_client_arguments
from offloader.cli.wording import plural
from offloader.errors import OffloaderError

DEADLINE_SECONDS = 20.0
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_AGO = re.compile(r"([0-9]{1,5})([mhd])")


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "support-bundle",
        help="write what others need to see to help: no secret is in it",
        description="Write a .tar.gz with what `offloader doctor` says, the redacted config and"
        " settings, diagnostics, metrics, the log, versions, manifests with checksums and what lies"
        " on the cache volume. README.txt in it says what each file is. Run it with the environment"
        " of the service. Exit 0 when it was written, also while everything else is broken.",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="where to; - is stdout (default: offloader-support-<time>.tar.gz in this folder)",
    )
    add_client_arguments(parser)
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="FILE",
        help="a file with the service's log, such as `kubectl logs` prints it; - is stdin",
    )
    parser.add_argument(
        "--since",
        type=_since,
        metavar="TIME",
        help="take no log lines from before: 30m, 6h, 2d, or a time such as 2026-06-01T03:00:00Z",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(deadline=DEADLINE_SECONDS, write_probe=False)
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Write the bundle; return 0, 1 when it cannot be written or a log cannot be read.

    What was written is told on stderr, or as one object on stdout with `--json`:
    `{"ok", "file", "bytes", "files"}` or `{"ok", "error": {"code", "message", "hint"}}`.
    """
    from offloader.cli.bundled import bundled  # it imports what reads stores

    now = time.time()
    target = (
        args.out or f"offloader-support-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    )
    try:
        content, paths = bundled(args, environ, now)
        _write(target, content)
    except OffloaderError as error:
        return _refuse(args, error)
    shown = {"ok": True, "file": target, "bytes": len(content), "files": paths}
    if args.json and target != "-":
        print(json.dumps(shown))
    else:
        size = f"{len(content) / 1024:.0f} KiB, {plural(len(paths), 'file')}"
        print(f"written: {target} ({size}). Look through it before you send it", file=sys.stderr)
        if not args.log:
            print("no log is in it: add one with --log FILE", file=sys.stderr)
    return 0


def _write(target: str, content: bytes) -> None:
    """Write the file, for its owner alone, or to stdout; raises OffloaderError."""
    if target == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        hint = "name another file with --out, or - for stdout"
        message = f"{target} cannot be written: {error.strerror}"
        raise OffloaderError("bundle_not_written", message, hint) from error


def _refuse(args: Namespace, error: OffloaderError) -> int:
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    if args.json:
        print(json.dumps({"ok": False, "error": told}))
    else:
        print(f"[{error.code}] {error.message}", file=sys.stderr)
        print(f"    hint: {error.hint}", file=sys.stderr)
    return 1


def _since(text: str) -> float:
    """Return seconds since the epoch."""
    ago = _AGO.fullmatch(text)
    if ago:
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError("expected 30m, 6h, 2d or a time with its zone")
    return found.timestamp()
