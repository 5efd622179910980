"""The builder: a short-lived process that turns one snapshot into the parts of a segment.

It reads one JSON job from stdin and prints one JSON outcome as its last line on stdout. It asks
the kernel to be killed first when memory is short, and when the reloader that started it dies.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from offloader.catalog.compatibility import served_columns
from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import (
    OffloaderError,
    Problem,
    SegmentCorrupt,
    SnapshotRefused,
    SourceUnavailable,
)
from offloader.segment.build import BuildReport, build_segment, targets_of
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import verify
from offloader.service.cache import Cache, disk_error
from offloader.service.counts import counts_of, refuse_unguarded, save_counts
from offloader.service.generation_document import plan_parts
from offloader.service.quarantine import put_away
from offloader.sources.local import open_snapshot

PR_SET_PDEATHSIG = 1
_OUT_OF_MEMORY = "give the container more memory, or publish a smaller snapshot"


def main() -> int:
    """Carry out the job on stdin; return 0 whatever the outcome, which is printed."""
    _die_with_parent()
    _be_killed_first()
    began = time.monotonic()
    job = json.load(sys.stdin)
    if os.getppid() != job["parent_pid"]:
        return 0  # it died before the kernel knew that this process dies with it
    outcome = build(job, now=time.time())
    outcome["seconds"] = round(time.monotonic() - began, 3)
    print(json.dumps(outcome), flush=True)  # noqa: T201 - this line is the answer
    return 0


def build(job: Mapping[str, Any], *, now: float) -> dict[str, Any]:
    """Build what is missing and check the guards; return the outcome as JSON values.

    `{"ok": true, "row_count", "written_bytes"}`, or `{"ok": false, "code", "message", "hint",
    "is_final", "problems"}` where a final failure is the snapshot's own.

    Parts are written below `target`, a cache's folder, so that a rebuild can be made aside.
    """
    try:
        report = _build(job, now)
    except SnapshotRefused as error:
        return _failure(error, is_final=True, problems=error.problems)
    except OffloaderError as error:
        return _failure(error, is_final=False)
    except MemoryError:
        spent = SourceUnavailable("builder_out_of_memory", "memory ran out", _OUT_OF_MEMORY)
        return _failure(spent, is_final=False)
    except OSError as error:
        return _failure(disk_error(error), is_final=False)
    written = sum(report.written_bytes.values())
    return {"ok": True, "row_count": report.row_count, "written_bytes": written}


def _build(job: Mapping[str, Any], now: float) -> BuildReport:
    catalog = parse_documents(job["documents"])
    dataset = catalog.datasets[job["dataset"]]
    cache, target = Cache(Path(job["cache"])), Cache(Path(job["target"]))
    copy = Path(job["manifest_copy"])
    manifest = parse_manifest(copy.read_bytes(), Path(job["manifest_path"]).name)
    part_ids = plan_parts(catalog, dataset.id, manifest).part_ids
    try:
        report = _build_parts(job, catalog, dataset, manifest)
    except SegmentCorrupt as error:
        damaged = [one for one in part_ids if _is_damaged(target.part(dataset.id, one))]
        put_away(target, dataset.id, damaged, error.message, now)
        report = _build_parts(job, catalog, dataset, manifest)
    counts = counts_of(dataset.guards, report.row_count, report.null_counts, report.duplicate_keys)
    save_counts(cache, dataset.id, manifest.digest, counts)
    # A snapshot that was served before is only built again: it was young enough in its time.
    admitted = manifest.watermark / 1e6 if job["was_served"] else now
    refuse_unguarded(dataset.guards, manifest, counts, job["previous_row_count"], admitted)
    return report


def _build_parts(
    job: Mapping[str, Any], catalog: Catalog, dataset: Dataset, manifest: Manifest
) -> BuildReport:
    """Write the missing parts; raises SegmentCorrupt when one they are made from is damaged."""
    target = Cache(Path(job["target"]))
    plan = plan_parts(catalog, dataset.id, manifest)
    targets = targets_of(plan, lambda part_id: target.part(dataset.id, part_id))
    targets.columns.parent.mkdir(parents=True, exist_ok=True)
    tables: Iterable[pa.Table] = ()
    if not targets.columns.exists():  # else the files are not needed, and may be gone
        source, root = Path(job["manifest_path"]), Path(job["root"])
        snapshot = open_snapshot(manifest, source, dataset, root=root, threads=job["threads"])
        tables = snapshot.tables()
    return build_segment(
        tables,
        served_columns(manifest, dataset),
        dataset.tenant_column,
        targets,
        _facts(manifest),
        unique=dataset.guards.unique,
        threads=job["threads"],
    )


def _is_damaged(path: Path) -> bool:
    """Tell whether a part that is there cannot be used."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as part:
            verify(part)
    except FileNotFoundError:
        return False
    except (SegmentCorrupt, ValueError):  # an empty file cannot be mapped
        return True
    return False


def _facts(manifest: Manifest) -> SnapshotFacts:
    return SnapshotFacts(
        manifest.dataset_id,
        manifest.snapshot_id,
        manifest.digest,
        manifest.watermark,
        manifest.created_at,
    )


def _failure(
    error: OffloaderError, *, is_final: bool, problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    return {
        "ok": False,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "is_final": is_final,
        "problems": [problem.as_dict() for problem in problems],
    }


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _be_killed_first() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return  # not allowed here: the kernel then chooses by size alone


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pyarrow's threads need not be waited for
