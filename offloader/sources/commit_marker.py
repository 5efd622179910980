"""What a commit marker of Databricks says: the transaction in its name, the files in its JSON.

    _started_<tid>              a job writes; says nothing to a reader
    _committed_<tid>            {"added": [names], "removed": [names]}, written last
    _committed_vacuum<tid>      what a clean-up will remove; never a commit

An empty marker, or one that is not whole, belongs to a job that has not committed yet. What is in
`removed` belongs to snapshots before it and is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from offloader.catalog.manifest import MAX_FILES, path_trouble
from offloader.catalog.manifest_fields import MAX_PROBLEMS
from offloader.catalog.strict_json import parse_strict_json, shown
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable

COMMITTED = "_committed_"
MAX_MARKER_BYTES = 16 * 2**20
_VACUUM = "_committed_vacuum"
_MARKER = re.compile(rf"{COMMITTED}([A-Za-z0-9-]{{1,128}})")
_MAX_DEPTH = 16
_REWRITE = "run the job again; nothing but Databricks should write such markers"
_HINTS = {
    "partitioned_unsupported": "write it without partitionBy: the column is not in the files",
    "commit_not_parquet": "write the output as Parquet",
}


class CommitUnfinished(SourceUnavailable):
    """A marker is not whole: its job is still committing, or died over it."""


def transaction_of(name: str) -> str | None:
    """Return the id of the transaction whose commit marker has this name, None for other files."""
    match = _MARKER.fullmatch(name)
    return match[1] if match and not name.startswith(_VACUUM) else None


def added_files(raw: bytes, marker: str) -> tuple[str, ...]:
    """Return the data files that a marker adds, sorted by name; hidden ones are left out.

    Names are relative to the marker's folder. Raises CommitUnfinished when the marker is not
    whole, SnapshotRefused when it is and names what cannot be served.
    """
    names = _read_added(raw, marker)
    files = sorted(name for name in names if not _is_hidden(name))
    problems = sorted(islice(_problems(files, marker), MAX_PROBLEMS))
    if problems:
        raise SnapshotRefused.of(problems)
    if not files:
        message = f"{marker} adds no file, so nothing tells the schema"
        hint = "for a snapshot without rows write a Parquet file without rows"
        raise SnapshotRefused("commit_empty", message, hint)
    return tuple(files)


def _read_added(raw: bytes, marker: str) -> Sequence[str]:
    try:
        document = parse_strict_json(raw, max_depth=_MAX_DEPTH)
        if not isinstance(document, dict):
            raise ValueError("it is not an object")
    except ValueError as error:
        message = f"{marker} is not whole: {error}" if raw else f"{marker} is empty"
        raise CommitUnfinished("commit_unfinished", message, "it is looked at again") from None
    added = document.get("added")
    if not isinstance(added, list) or not all(isinstance(name, str) for name in added):
        message = f"{marker} has no list of names in `added`"
        raise SnapshotRefused("commit_invalid", message, _REWRITE)
    if len(added) > MAX_FILES:
        hint = "write fewer, larger files: repartition before writing"
        raise SnapshotRefused("too_many_files", f"{marker} adds {len(added)} files", hint)
    return added


def _is_hidden(name: str) -> bool:
    """Tell whether Spark would not read a file: `_` and `.` begin names of its own files."""
    return any(part.startswith("_") or _is_dotted(part) for part in name.split("/"))


def _is_dotted(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")


def _problems(names: Sequence[str], marker: str) -> Iterator[Problem]:
    before = None
    for name in names:
        code = "duplicate_file" if name == before else _trouble(name)
        if code:
            hint = _HINTS.get(code, _REWRITE)
            yield Problem(marker, "added", code, f"{shown(name)} cannot be read", hint)
        before = name


def _trouble(name: str) -> str | None:
    """Return the code of what is wrong with a name, None when it is fine."""
    code, parts = path_trouble(name), name.split("/")
    if code is not None:
        return code
    if "://" in name:
        code = "url_unsupported"
    elif not all(parts) or "." in parts:
        code = "path_invalid"
    elif any("=" in folder for folder in parts[:-1]):
        code = "partitioned_unsupported"
    elif not name.endswith(".parquet"):
        code = "commit_not_parquet"
    return code
