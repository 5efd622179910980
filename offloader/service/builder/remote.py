"""What datasets need whose endpoints read the snapshot's files: the files part, and the checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from offloader.catalog.model import Column, Dataset
from offloader.segment.build import BuildReport, PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.segment.remote_files import write_files
from offloader.sources.remote_check import checked_tables, pinned_files
from offloader.sources.snapshot import Snapshot


def write_pinned(targets: PartTargets, facts: SnapshotFacts, snapshot: Snapshot) -> dict[Path, int]:
    """Write the files part if it is wanted and missing; return its size in bytes by its path.

    Before the files are read: what changes meanwhile is then noticed. One that was left by a build
    that failed is written anew.
    """
    if targets.files is None or (targets.files.exists() and targets.columns.exists()):
        return {}
    files = pinned_files(snapshot)
    return {targets.files: write_files(targets.files, facts, snapshot.manifest.columns, files)}


def build_remote(
    snapshot: Snapshot, dataset: Dataset, targets: PartTargets, facts: SnapshotFacts, threads: int
) -> BuildReport:
    """Check a snapshot that is not loaded, and write its parts: no rows, and where the files lie.

    `null_counts` are of the columns that guards look at. Raises as `Snapshot.tables` and
    `build_segment`.
    """
    written = write_pinned(targets, facts, snapshot)
    checked = _check(snapshot, dataset, facts, threads)
    built = build_segment((), snapshot.columns, dataset.tenant_column, targets, facts)
    return replace(checked, written_bytes={**written, **built.written_bytes})


def _check(snapshot: Snapshot, dataset: Dataset, facts: SnapshotFacts, threads: int) -> BuildReport:
    """Read what the guards look at, into a part that is counted and thrown away."""
    guards = dataset.guards
    names = {*guards.unique, *guards.not_null}
    guarded = tuple(Column(c.name, c.type) for c in snapshot.columns if c.name in names)
    tables = checked_tables(snapshot, guarded)
    row_count = snapshot.manifest.row_count
    if not guarded:
        for _ in tables:
            pass
        return BuildReport(row_count, {}, None, {})
    scratch = snapshot.spool / "guarded"
    report = build_segment(
        tables,
        guarded,
        None,
        PartTargets(scratch),
        facts,
        unique=guards.unique,
        threads=threads,
    )
    scratch.unlink()
    return report
