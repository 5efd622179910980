"""`offloader doctor`: is it us, our environment, or upstream? Each check is one line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from offloader.cli.admin_client import add_client_arguments
from offloader.cli.snapshot_status import printable

if TYPE_CHECKING:
    from offloader.service.doctor.finding import Finding

DEADLINE_SECONDS = 20.0
_TITLES = {
    "us": "us (Offloader and its config)",
    "environment": "our environment",
    "upstream": "upstream data",
}
_VERDICTS = ("ok", "warning", "failed")
_OUR_CONFIG = ("settings", "project")


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "doctor",
        help="find out what is wrong: with us, our environment, or upstream",
        description="Check settings, project, machine, cache volume, ports, sources and, when one"
        " answers, the running instance. Run it with the environment of the service. It only reads,"
        " but for a small file that it makes on the cache volume and removes. Exit 0 when nothing"
        " failed, 1 when a check failed, 2 when settings or project are wrong.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_client_arguments(parser)
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=DEADLINE_SECONDS,
        metavar="SECONDS",
        help="how long sources, stores and the volume may take (default: %(default)g)",
    )
    parser.add_argument(
        "--write-probe",
        action="store_true",
        help="also write a small object, which stays, into the segment store",
    )
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Examine everything; return 0, 1 when a check failed, 2 when settings or project are wrong.

    Lines go to stdout; with `--json` one object: `{"ok", "findings": [{"heading", "check",
    "subject", "verdict", "code", "message", "hint", "runbook"}]}`.
    """
    from offloader.cli.examination import examine  # it imports what reads stores

    findings = examine(args, environ)
    failed = [one for one in findings if one.verdict == "failed"]
    if args.json:
        document = {"ok": not failed, "findings": [one.as_dict() for one in findings]}
        print(json.dumps(document))
    else:
        for line in finding_lines(findings):
            print(line)
    sys.stdout.flush()
    if any(one.check in _OUR_CONFIG and one.heading == "us" for one in failed):
        return 2
    return 1 if failed else 0


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the lines for people: a heading, its findings, and in the end the answer."""
    known = sorted(findings, key=lambda one: -_VERDICTS.index(one.verdict))  # stable: by check
    for heading, title in _TITLES.items():
        yield f"{title}:"
        for one in known:
            if one.heading == heading:
                yield f"  {_line(one)}"
    yield _answer(known)


def _line(finding: Finding) -> str:
    place = f"{finding.check} {finding.subject}".rstrip()
    text = f"{finding.verdict:<8} {place}: {finding.message}"
    if finding.code:
        text += f" [{finding.code}]"
    if finding.hint:
        text += f"; do: {finding.hint}"
    if finding.runbook:
        text += f" ({finding.runbook})"
    return printable(text)


def _answer(findings: Iterable[Finding]) -> str:
    """Say in one line whose it is."""
    counts: dict[str, dict[str, int]] = {}
    for one in findings:
        if one.verdict != "ok":
            of_heading = counts.setdefault(one.heading, {})
            of_heading[one.verdict] = of_heading.get(one.verdict, 0) + 1
    if not counts:
        return "nothing is wrong"
    told = []
    for heading, title in _TITLES.items():
        named = counts.get(heading, {})
        words = [
            f"{named[verdict]} {verdict}" for verdict in ("failed", "warning") if verdict in named
        ]
        told += [f"{title} ({', '.join(words)})"] if words else []
    is_broken = any("failed" in named for named in counts.values())
    return f"{'look at' if is_broken else 'nothing failed; look at'}: {', '.join(told)}"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 1.0 <= seconds <= 600.0:
        raise argparse.ArgumentTypeError("expected seconds from 1 to 600")
    return seconds
