"""`offloader cache`: look at a cache volume, verify it, put a snapshot away, clear it."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offloader.catalog.text_rules import nearest_hint
from offloader.cli.cache_status import Progress, size, status_document, status_lines
from offloader.errors import OffloaderError, StartError
from offloader.settings.variables import VARIABLES

if TYPE_CHECKING:
    from offloader.service.cache import Cache
    from offloader.service.removal import Collected

_VARIABLE = next(variable for variable in VARIABLES if variable.name == "OFFLOADER_CACHE_DIR")
# Nothing is wrong with the command: it can be given again later.
_LATER_CODES = frozenset({"cache_in_use", "cache_busy"})


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "cache",
        help="look at the cache volume, put a snapshot away, clear it",
        description="Work on a cache volume itself; no service is needed for it.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_status(commands)
    _add_quarantine(commands)
    _add_clear(commands)
    return parser


def run(args: Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Carry out one command; return 0, 1 when a check failed or a service runs, 2 when wrong.

    What was found goes to stdout, errors and progress to stderr; with `--json` one object goes to
    stdout, also for an error: `{"ok", "error": {"code", "message", "hint"}}`.
    """
    try:
        return int(args.carry_out(args, _opened(args, environ)))
    except OffloaderError as error:
        refused = error
    except OSError as error:
        what = f"{error.filename}: {error.strerror}"
        refused = StartError("cache_unreadable", what, "run it as the user of the service")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    if args.json:
        told = {"code": refused.code, "message": refused.message, "hint": refused.hint}
        _print({"ok": False, "error": told})
    else:
        print(refused, file=sys.stderr)
    return 1 if refused.code in _LATER_CODES else 2


def _add_status(commands: _SubParsersAction[ArgumentParser]) -> None:
    text = "Say what lies on the volume. Exit 1 when --verify finds a damaged file."
    parser = commands.add_parser("status", help="say what lies on the volume", description=text)
    parser.add_argument("--verify", action="store_true", help="compare every checksum")
    _finish(parser, _status)


def _add_quarantine(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "quarantine",
        help="keep a snapshot from being served, or have it built again",
        description="Mark a snapshot so that it is not served again until it is accepted, and put"
        " its parts away. Refused while a service uses the volume.",
    )
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--snapshot", metavar="ID", default="", help="default: the active one")
    parser.add_argument(
        "--reason", metavar="TEXT", required=True, help="kept with what is put away"
    )
    parser.add_argument(
        "--parts-only",
        action="store_true",
        help="only put the parts away, so that the next start builds the snapshot again",
    )
    _finish(parser, _quarantine)


def _add_clear(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "clear",
        help="remove what was built",
        description="Remove built parts and kept manifests; they are built again at the next"
        " start. Pins and marks of quarantined snapshots stay. Refused while a service uses the"
        " volume.",
    )
    parser.add_argument("dataset", metavar="DATASET", nargs="?", help="default: all")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--quarantine", action="store_true", help="also parts that were put away")
    _finish(parser, _clear)


def _finish(parser: ArgumentParser, carry_out: object) -> None:
    parser.add_argument(
        "--cache-dir",
        type=Path,
        help=f"default: OFFLOADER_CACHE_DIR, else {_VARIABLE.default_text}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(carry_out=carry_out)


def _opened(args: Namespace, environ: Mapping[str, str]) -> Cache:
    """Return the cache volume; raises StartError `cache_missing` when there is none."""
    # Imported late: other commands need none of it.
    from offloader.service.cache import Cache

    root = args.cache_dir or Path(environ.get(_VARIABLE.name) or _VARIABLE.default_text)
    if not (root / "segments").is_dir():
        hint = "name the folder with --cache-dir or OFFLOADER_CACHE_DIR"
        raise StartError("cache_missing", f"{root} is not a cache volume", hint)
    return Cache(root)


def _status(args: Namespace, cache: Cache) -> int:
    from offloader.service.volume import survey, verify_volume

    volume = survey(cache)
    damages = verify_volume(cache, volume, Progress(sys.stderr)) if args.verify else None
    if args.json:
        _print(status_document(cache.root, volume, damages))
    else:
        for line in status_lines(cache.root, volume, damages):
            print(line)
    return 1 if damages else 0


def _quarantine(args: Namespace, cache: Cache) -> int:
    from offloader.service.offline import quarantine_snapshot, unused

    if not args.reason.strip():
        raise OffloaderError(
            "reason_missing", "the reason is empty", "say why, for who reads it later"
        )
    _check_dataset(cache, args.dataset)
    with unused(cache):
        away = quarantine_snapshot(
            cache,
            args.dataset,
            args.snapshot,
            args.reason,
            time.time(),
            parts_only=args.parts_only,
        )
    ids = [snapshot_id for snapshot_id, _ in away.snapshots]
    if args.json:
        _print({"ok": True, "snapshots": ids, "parts": list(away.parts)})
        return 0
    for snapshot_id in ids:
        print(f"{args.dataset}: {snapshot_id} is not served again until it is accepted")
    then = "a newer one must be published" if ids else "the next start builds them again"
    print(f"{args.dataset}: {len(away.parts)} parts put away; {then}")
    return 0


def _clear(args: Namespace, cache: Cache) -> int:
    from offloader.service.offline import clear, unused
    from offloader.service.volume import known_datasets

    if args.dataset is not None:
        _check_dataset(cache, args.dataset)
    with unused(cache):
        names = known_datasets(cache) if args.dataset is None else [args.dataset]
    if not args.yes and not _is_confirmed(cache, names):
        print("nothing was removed")
        return 1
    with unused(cache):
        removed = clear(cache, names, with_quarantine=args.quarantine)
    return _report(args, removed)


def _report(args: Namespace, removed: Collected) -> int:
    if args.json:
        ok = not removed.errors
        _print(
            {
                "ok": ok,
                "files": removed.files,
                "bytes": removed.bytes,
                "errors": list(removed.errors),
            }
        )
    else:
        for error in removed.errors:
            print(error, file=sys.stderr)
        print(f"{removed.files} files removed, {size(removed.bytes)}")
    return 1 if removed.errors else 0


def _is_confirmed(cache: Cache, names: list[str]) -> bool:
    """Ask on a terminal; raises OffloaderError `confirmation_missing` elsewhere."""
    if not sys.stdin.isatty():
        hint = "add --yes"
        message = "this removes built files, and there is nobody to ask"
        raise OffloaderError("confirmation_missing", message, hint)
    print(
        f"Remove what was built of {', '.join(names) or 'nothing'} from {cache.root}? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _check_dataset(cache: Cache, name: str) -> None:
    from offloader.service.volume import known_datasets

    known = known_datasets(cache)
    if name not in known:
        message = f"no dataset {name} is on this volume"
        raise OffloaderError("unknown_dataset", message, nearest_hint(name, known))


def _print(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False))
