"""`offloader snapshot`: see and change which snapshots a running instance serves."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from offloader.catalog.text_rules import IDENTIFIER, IDENTIFIER_HINT, SNAPSHOT_ID
from offloader.cli.admin_client import AdminClient, add_client_arguments, client_of, refusal
from offloader.cli.progress import with_progress
from offloader.cli.snapshot_status import printable, status_lines
from offloader.errors import OffloaderError
from offloader.service.action_packets import MAX_WAIT_SECONDS
from offloader.service.actions import KINDS, Kind
from offloader.web.admin_actions import DEFAULT_WAIT_SECONDS, FIELDS, MAX_REASON

USAGE_CODES = ("admin_token_missing", "admin_token_invalid", "secret_twice")
_FINE = ("done", "unchanged")
_ACTIONS: Mapping[Kind, str] = {
    "refresh": "look for a newer snapshot now",
    "rollback": "serve the previous snapshot; the bad one stays away until a newer one appears",
    "pin": "stay on a snapshot, by default the one that is served",
    "unpin": "follow the newest snapshot again",
    "rebuild": "build the segment of the served snapshot anew",
    "quarantine": "never serve a snapshot again, by default the one that is served",
}


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "snapshot",
        help="see and change which snapshots an instance serves",
        description="See and change which snapshots a running instance serves, over its admin"
        " port. Exit 0 when it is as wished, else 1.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="ACTION", required=True)
    status = kinds.add_parser("status", allow_abbrev=False, help="show what each dataset serves")
    status.add_argument("dataset", nargs="?", type=_dataset, metavar="DATASET")
    _add_common(status)
    for kind in KINDS:
        text = _ACTIONS[kind]
        described = text[0].upper() + text[1:] + "."
        # No abbreviations: a token after `--token` must not be taken for a file and shown.
        one = kinds.add_parser(kind, allow_abbrev=False, help=text, description=described)
        one.add_argument("dataset", type=_dataset, metavar="DATASET")
        _add_options(one, FIELDS[kind])
        _add_common(one)
    return parser


def run(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Show the status or carry out an action; return 0, 1 or 2.

    Without `--json` what went wrong goes to stderr; with it one object goes to stdout in any case.
    """
    try:
        client = client_of(args, environ)
        return _status(client, args) if args.kind == "status" else _act(client, args)
    except OffloaderError as error:
        if args.json:
            told = {"code": error.code, "message": error.message, "hint": error.hint}
            print(json.dumps({"error": told}))
        else:
            _complain("", error.code, error.message, error.hint)
        return 2 if error.code in USAGE_CODES or error.code.startswith("secret_file") else 1
    except KeyboardInterrupt:
        print("not waited for: `offloader snapshot status` shows the outcome", file=sys.stderr)
        return 1


def _status(client: AdminClient, args: argparse.Namespace) -> int:
    datasets: dict[str, Any] = client.get("/diagnostics")["datasets"]
    if args.dataset is not None:
        if args.dataset not in datasets:
            hint = f"there are: {', '.join(sorted(datasets)) or 'none'}"
            raise OffloaderError("unknown_dataset", f"there is no dataset {args.dataset}", hint)
        datasets = {args.dataset: datasets[args.dataset]}
    if args.json:
        print(json.dumps({"datasets": datasets}))
    else:
        print("\n".join(status_lines(datasets)))
    return 0


def _act(client: AdminClient, args: argparse.Namespace) -> int:
    body = {"wait_seconds": args.wait}
    body |= {name: value for name in FIELDS[args.kind] if (value := getattr(args, name))}
    status, answer = with_progress(
        lambda: client.post(f"/datasets/{args.dataset}/{args.kind}", body, args.wait),
        lambda: _doing(client, args.dataset),
    )
    if "outcome" not in answer:
        raise refusal(status, answer)
    if args.json:
        print(json.dumps(answer))
    elif answer["outcome"] in _FINE:
        print(printable(f"{answer['outcome']}: {answer['message']}{_change(answer)}"))
    else:
        message = f"{answer['message']}{_change(answer)}"
        _complain(f"{answer['outcome']}: ", answer["code"], message, answer["hint"])
    return 0 if answer["outcome"] in _FINE else 1


def _doing(client: AdminClient, dataset: str) -> str:
    """Return what the reloader is doing, as far as it can be told."""
    try:
        told = client.get("/status")["datasets"].get(dataset, {})
    except OffloaderError:
        told = {}
    state, snapshot = told.get("state", "waiting"), told.get("snapshot_id") or "nothing yet"
    return printable(f"{dataset}: {state}, serving {snapshot}")


def _change(answer: Mapping[str, Any]) -> str:
    before, after = answer.get("from"), answer.get("to")
    if not after or after == before:
        return ""
    number = f", generation {answer['generation']}" if answer["generation"] else ""
    return f" ({before or 'nothing'} -> {after}{number})"


def _complain(before: str, code: str, message: str, hint: str) -> None:
    shown = f"[{code}] {message}" if code else message
    print(printable(f"{before}{shown}"), file=sys.stderr)
    if hint:
        print(printable(f"    hint: {hint}"), file=sys.stderr)


def _add_options(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    if "snapshot_id" in names:
        parser.add_argument("snapshot_id", nargs="?", type=_snapshot_id, metavar="SNAPSHOT_ID")
    if "reason" in names:
        parser.add_argument("--reason", type=_reason, default="", help="why, for the audit log")
    if "accept" in names:
        text = "also when the snapshot was rolled back or quarantined"
        parser.add_argument("--accept", action="store_true", help=text)
    parser.add_argument(
        "--wait",
        type=_wait,
        default=DEFAULT_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for the outcome (default: 30, at most 600)",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_client_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _dataset(text: str) -> str:
    if not IDENTIFIER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"this is no dataset's id: {IDENTIFIER_HINT}")
    return text


def _snapshot_id(text: str) -> str:
    if not SNAPSHOT_ID.fullmatch(text):
        hint = "use letters, digits and : _ . - only, at most 200"
        raise argparse.ArgumentTypeError(f"this is no snapshot id: {hint}")
    return text


def _reason(text: str) -> str:
    if len(text) > MAX_REASON or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected at most {MAX_REASON} printable characters")
    return text


def _wait(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to {MAX_WAIT_SECONDS:.0f}")
    return seconds
