"""The builder: a short-lived process that turns one snapshot into the parts of a segment.

It reads one JSON job from stdin and prints one JSON outcome as its last line on stdout. It asks
the kernel to be killed first when memory is short, and when the reloader that started it dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.guards import check_guards
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import (
    OffloaderError,
    Problem,
    SegmentCorrupt,
    SnapshotRefused,
    SourceUnavailable,
)
from offloader.segment.build import BuildReport, PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.service.cache import Cache, disk_error
from offloader.service.generation_document import plan_parts
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
    cache = Cache(Path(job["cache"]))
    manifest_path = Path(job["manifest_path"])
    manifest = parse_manifest(Path(job["manifest_copy"]).read_bytes(), manifest_path.name)
    columns_id = plan_parts(catalog, dataset.id, manifest).columns_id
    try:
        report = _build_parts(job, catalog, dataset, manifest)
    except SegmentCorrupt as error:
        cache.quarantine(dataset.id, columns_id, error.message, now)
        report = _build_parts(job, catalog, dataset, manifest)
    # A snapshot that was served before is only built again: it was young enough in its time.
    admitted = manifest.watermark / 1e6 if job["was_active"] else now
    _check_guards(dataset, manifest, report, job["previous_row_count"], admitted)
    return report


def _build_parts(
    job: Mapping[str, Any], catalog: Catalog, dataset: Dataset, manifest: Manifest
) -> BuildReport:
    """Write the missing parts; raises SegmentCorrupt when the columns part is damaged."""
    cache, manifest_path = Cache(Path(job["cache"])), Path(job["manifest_path"])
    snapshot = open_snapshot(
        manifest, manifest_path, dataset, root=Path(job["root"]), threads=job["threads"]
    )
    plan = plan_parts(catalog, dataset.id, manifest)
    targets = PartTargets(
        cache.part(dataset.id, plan.columns_id),
        tuple((spec, cache.part(dataset.id, part_id)) for spec, part_id in plan.paths),
    )
    targets.columns.parent.mkdir(parents=True, exist_ok=True)
    return build_segment(
        snapshot.tables(),
        snapshot.columns,
        dataset.tenant_column,
        targets,
        _facts(manifest),
        unique=dataset.guards.unique,
        threads=job["threads"],
    )


def _facts(manifest: Manifest) -> SnapshotFacts:
    return SnapshotFacts(
        manifest.dataset_id,
        manifest.snapshot_id,
        manifest.digest,
        manifest.watermark,
        manifest.created_at,
    )


def _check_guards(
    dataset: Dataset, manifest: Manifest, report: BuildReport, previous: int | None, now: float
) -> None:
    problems = check_guards(
        dataset.guards,
        row_count=report.row_count,
        previous_row_count=previous,
        watermark=manifest.watermark,
        now=int(now * 1e6),
        null_counts=report.null_counts,
        duplicate_keys=report.duplicate_keys,
    )
    if problems:
        raise SnapshotRefused.of(problems)


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
