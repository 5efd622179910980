"""Quarantine: damaged parts that were put away, and snapshots that must not be served again.

Below `quarantine/<dataset>/`, each with its reason:

    <part id>.<time>            a part, put away at this time (seconds since the epoch)
    <part id>.<time>.reason     why, as a line of text
    <manifest digest>.snapshot  the mark of a snapshot, as JSON
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from offloader.catalog.text_rules import IDENTIFIER
from offloader.service.cache import DIGEST, Cache, disk_error, files_in, write_whole

MOST_PUT_AWAY = 5
MAX_REASON = 500
_MAX_MARK_BYTES = 1 << 16
_PART = re.compile(rf"({DIGEST.pattern})\.([0-9]{{1,12}})")
_REASON, _MARK = ".reason", ".snapshot"


@dataclass(frozen=True, slots=True)
class Mark:
    """A snapshot that must not be served until an operator accepts it.

    `by` is the fingerprint of a token, or where the command was given; `at` is seconds since the
    epoch.
    """

    snapshot_id: str
    manifest_digest: str
    reason: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class PutAway:
    """A part in quarantine; `at` is seconds since the epoch."""

    part_id: str
    at: int
    reason: str
    size_bytes: int
    path: Path


def mark(cache: Cache, dataset: str, made: Mark) -> None:
    """Keep a snapshot away from now on; one that is marked already gets the new reason.

    Raises SourceUnavailable when the volume cannot be written, ValueError for ids that are none.
    """
    path = _mark_path(cache, dataset, made.manifest_digest)
    document = {**asdict(made), "reason": _line(made.reason)}
    try:
        write_whole(path, f"{json.dumps(document)}\n".encode())
    except OSError as error:
        raise disk_error(error) from error


def marks(cache: Cache, dataset: str) -> tuple[Mark, ...]:
    """Return the marked snapshots of a dataset, oldest first; raises OSError.

    A mark that cannot be understood still keeps its snapshot away.
    """
    found = [
        _read_mark(entry) for entry in files_in(cache.quarantine_of(dataset)) if is_mark(entry.name)
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.manifest_digest)))


def lift(cache: Cache, dataset: str, digest: str) -> bool:
    """Let a snapshot be served again; tell whether it was marked.

    Raises SourceUnavailable when the mark cannot be removed.
    """
    try:
        _mark_path(cache, dataset, digest).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(error) from error
    return True


def put_away(
    cache: Cache, dataset: str, part_ids: Collection[str], reason: str, now: float
) -> tuple[str, ...]:
    """Move parts out of the way, so that they are built again; return those that were there.

    Of each dataset the newest few stay to be looked at. A part that cannot be moved, or its
    reason not written, is removed. Never raises: what is damaged must go. Ids that are none are
    passed over.
    """
    gone = []
    for part_id in part_ids if IDENTIFIER.fullmatch(dataset) else ():
        path = cache.part(dataset, part_id)
        if not DIGEST.fullmatch(part_id) or not os.path.lexists(path):
            continue
        target = cache.quarantine_of(dataset) / f"{part_id}.{max(0, int(now))}"
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise OSError("not a file of ours")
            write_whole(_reason_path(target), f"{_line(reason)}\n".encode())
            path.replace(target)
        except OSError:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        gone.append(part_id)
    with suppress(OSError):
        _keep_newest(cache, dataset)
    return tuple(gone)


def put_away_parts(cache: Cache, dataset: str) -> tuple[PutAway, ...]:
    """Return the parts of a dataset in quarantine, oldest first; raises OSError."""
    found = []
    for entry in files_in(cache.quarantine_of(dataset)):
        if match := _PART.fullmatch(entry.name):
            path = Path(entry.path)
            size_bytes = entry.stat(follow_symlinks=False).st_size
            found.append(PutAway(match[1], int(match[2]), _read_reason(path), size_bytes, path))
    return tuple(sorted(found, key=lambda one: (one.at, one.part_id)))


def quarantined_parts(cache: Cache, dataset: str) -> int:
    """Return how many parts of a dataset lie in quarantine; 0 when it cannot be told."""
    with suppress(OSError):
        names = (entry.name for entry in files_in(cache.quarantine_of(dataset)))
        return sum(1 for name in names if _PART.fullmatch(name))
    return 0


def _keep_newest(cache: Cache, dataset: str) -> None:
    for old in put_away_parts(cache, dataset)[:-MOST_PUT_AWAY]:
        old.path.unlink(missing_ok=True)
        _reason_path(old.path).unlink(missing_ok=True)


def is_mark(name: str) -> bool:
    """Tell whether a file of a quarantine folder is the mark of a snapshot."""
    return name.endswith(_MARK) and bool(DIGEST.fullmatch(name.removesuffix(_MARK)))


def is_reason(name: str) -> bool:
    """Tell whether a file of a quarantine folder is the reason of a part."""
    return name.endswith(_REASON) and bool(_PART.fullmatch(name.removesuffix(_REASON)))


def _mark_path(cache: Cache, dataset: str, digest: str) -> Path:
    if not IDENTIFIER.fullmatch(dataset) or not DIGEST.fullmatch(digest):
        raise ValueError("a dataset's id and the digest of a manifest are expected")
    return cache.quarantine_of(dataset) / f"{digest}{_MARK}"


def _reason_path(part: Path) -> Path:
    return part.with_name(f"{part.name}{_REASON}")


def _read_reason(part: Path) -> str:
    try:
        with _reason_path(part).open(encoding="utf-8", errors="replace") as file:
            return _line(file.read(MAX_REASON))
    except OSError:
        return ""


def _read_mark(entry: os.DirEntry[str]) -> Mark:
    digest = entry.name.removesuffix(_MARK)
    document: Any = None
    with suppress(OSError, ValueError, RecursionError), Path(entry.path).open("rb") as file:
        document = json.loads(file.read(_MAX_MARK_BYTES))
    try:
        at = float(document["at"])
        texts = [document[name] for name in ("snapshot_id", "reason", "by")]
        if all(isinstance(text, str) for text in texts):
            return Mark(texts[0], digest, _line(texts[1]), texts[2], at)
    except (KeyError, TypeError, ValueError):
        pass
    return Mark("", digest, "the mark cannot be read", "", 0.0)


def _line(text: str) -> str:
    """Return a text as one line of at most MAX_REASON characters."""
    return "".join(c if c.isprintable() else " " for c in text.strip())[:MAX_REASON]
