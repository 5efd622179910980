"""What the data team publishes: is it there, is it whole by its manifest, does it fit the contract.

Only reads: manifests, markers, and the names and sizes of files. What is in the files the service
finds out when it builds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from offloader.catalog.guards import check_guards
from offloader.catalog.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest
from offloader.catalog.model import Dataset
from offloader.errors import OffloaderError, Problem, SnapshotRefused, SourceUnavailable
from offloader.query.cell_text import timestamp_text
from offloader.service.blame import blame_of
from offloader.service.commit_watch import CommitWatch
from offloader.service.doctor.finding import Check, Finding, heading_of
from offloader.service.doctor.within import run_within
from offloader.service.project import Project, manifest_location
from offloader.sources.manifest_file import read_manifest
from offloader.stores.access import Access
from offloader.stores.download import ObjectTooLarge, read_whole
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.patient import Patience
from offloader.stores.store import ObjectMissing

LOOKS_AT_ONCE = 8
MOST_PROBLEMS = 10
PATIENCE = Patience(attempts=2, most_seconds=1.0, asked_seconds=2.0, deadline_seconds=10.0)
CHECK = "source"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of one dataset.

    `told_at` are times that others wrote down, by the name of who did, in seconds since the epoch:
    none of them can lie in the future.
    """

    findings: tuple[Finding, ...]
    told_at: Mapping[str, float]


def look_at_sources(
    project: Project, access: Access, clock: Callable[[], float], seconds: float
) -> dict[str, Look]:
    """Look at every dataset's source, each for as long as all may take together.

    `clock` tells seconds, since any moment for differences and since the epoch for ages.
    """
    stores = Stores(access, PATIENCE)
    commits = CommitWatch(stores, access, clock, _not_described)
    looks = {
        name: partial(_look, project, dataset, stores, commits, clock())
        for name, dataset in project.catalog.datasets.items()
    }
    found = run_within(looks, seconds, LOOKS_AT_ONCE)
    return {name: _taken(name, seen, seconds) for name, seen in found.items()}


def _taken(name: str, seen: Look | BaseException | None, seconds: float) -> Look:
    if isinstance(seen, Look):
        return seen
    if seen is None:
        hint = "see whether its mount or network hangs; the service waits for it, too"
        error = SourceUnavailable("source_slow", f"no answer within {seconds:g} seconds", hint)
        return Look((_finding(name, error),), {})
    if isinstance(seen, OffloaderError):
        return Look(tuple(_findings(name, seen)), {})
    text = f"{type(seen).__name__} while it was looked at"
    return Look((Check("us", CHECK, name).fail("internal", text, "report it"),), {})


def _findings(name: str, error: OffloaderError) -> list[Finding]:
    problems = error.problems if isinstance(error, SnapshotRefused) else ()
    if not problems:
        return [_finding(name, error)]
    check = _check(name, problems[0].code)
    found = check.of_problems(problems[:MOST_PROBLEMS], "failed")
    if len(problems) > MOST_PROBLEMS:
        more = f"and {len(problems) - MOST_PROBLEMS} problems more"
        found.append(check.fail("more_problems", more, problems[0].hint))
    return found


def _finding(name: str, error: OffloaderError) -> Finding:
    return _check(name, error.code).of_error(error)


def _check(name: str, code: str) -> Check:
    return Check(heading_of(blame_of(code).area), CHECK, name, "snapshot")


def _look(
    project: Project, dataset: Dataset, stores: Stores, commits: CommitWatch, now: float
) -> Look:
    check = Check("upstream", CHECK, dataset.id, "snapshot")
    location = manifest_location(project, dataset)
    if dataset.source is not None:
        commit = commits.newest(dataset)
        text = f"{location.shown}: the newest commit is {commit.snapshot_id}"
        return Look((check.ok(text),), {f"the store of {dataset.id}": commit.committed_at})
    manifest, told_at = _manifest(stores, location)
    root = None if location.is_remote else project.root
    open_snapshot = _open_snapshot()
    open_snapshot(manifest, location, dataset, stores=stores, root=root, spool=Path("/nowhere"))
    told_at[f"the manifest of {dataset.id}"] = max(manifest.created_at, manifest.watermark) / 1e6
    broken = _broken_guards(manifest, dataset, now)
    if broken:
        return Look(tuple(check.of_problems(broken, "warning")), told_at)
    files = "1 file" if len(manifest.files) == 1 else f"{len(manifest.files)} files"
    until = timestamp_text(manifest.watermark)
    return Look(
        (check.ok(f"{manifest.snapshot_id} of {until}: {files}, rows: {manifest.row_count}"),),
        told_at,
    )


def _manifest(stores: Stores, location: Location) -> tuple[Manifest, dict[str, float]]:
    if not location.is_remote:
        return parse_manifest(read_manifest(Path(str(location))), location.name), {}
    try:
        found, raw = read_whole(stores.at(location), location.key, MAX_MANIFEST_BYTES)
    except ObjectMissing:
        message = f"{location.shown} does not exist"
        hint = "publish a snapshot, or check the URL"
        raise SourceUnavailable("manifest_missing", message, hint) from None
    except ObjectTooLarge as error:
        hint = f"a manifest is at most {MAX_MANIFEST_BYTES} bytes: publish fewer, larger files"
        problem = Problem(location.name, "", "manifest_too_large", error.message, hint)
        raise SnapshotRefused.of([problem]) from None
    told_at = {f"the store of {location.name}": found.modified_at} if found.modified_at else {}
    return parse_manifest(raw, location.name), told_at


def _broken_guards(manifest: Manifest, dataset: Dataset, now: float) -> list[Problem]:
    """Return the guards that the manifest alone shows to be broken.

    What is served already stays, however old it becomes: so it is no more than a warning.
    """
    return check_guards(
        replace(dataset.guards, unique=(), not_null=()),
        row_count=manifest.row_count,
        previous_row_count=None,
        watermark=manifest.watermark,
        now=int(now * _MICROSECONDS),
        null_counts={},
        duplicate_keys=None,
    )


def _open_snapshot() -> Callable[..., object]:
    from offloader.sources.snapshot import open_snapshot  # it takes 0.3 s: of use only here

    return open_snapshot


def _not_described(job: Mapping[str, object]) -> NoReturn:
    raise NotImplementedError(f"no manifest is made of a commit: {sorted(job)}")
